# Sourced by the scripts in Tools/ and by .ci/run: where the clone is, and what a build needs.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
jobs=${HOLDFAST_JOBS:-$(nproc)}
# The configuration of every release build here, so that the scripts share what was built.
release=(-c release --static-swift-stdlib -j "$jobs")

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

# Runs a command without its output; shows all of it if the command fails.
quietly() {
    local output status=0
    output=$(mktemp)
    "$@" >"$output" 2>&1 </dev/null || status=$?
    if [ "$status" -ne 0 ]; then
        cat "$output" >&2
        say "failed with status $status: $*"
    fi
    rm -f "$output"
    return "$status"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "Not root and no sudo: as root, run: $*"
    fi
}

# The C library's headers and start files, without which nothing links.
lacks_c_toolchain() {
    [ ! -e /usr/include/stdio.h ] || ! compgen -G '/usr/lib/gcc/*/*/crtbegin.o' >/dev/null
}

# Prints the packages that are missing for "$1": build or test.
missing_packages() {
    if lacks_c_toolchain; then echo g++; fi
    command -v pkg-config >/dev/null || echo pkg-config
    pkg-config --exists jemalloc 2>/dev/null || echo libjemalloc-dev
    pkg-config --exists libcrypto 2>/dev/null || echo libssl-dev
    pkg-config --exists libisal 2>/dev/null || echo libisal-dev
    pkg-config --exists liblz4 2>/dev/null || echo liblz4-dev
    pkg-config --exists liblzf 2>/dev/null || echo liblzf-dev
    pkg-config --exists zlib 2>/dev/null || echo zlib1g-dev
    pkg-config --exists libzstd 2>/dev/null || echo libzstd-dev
    pkg-config --exists libpcre2-8 2>/dev/null || echo libpcre2-dev
    if [ "$1" = test ]; then
        command -v redis-server >/dev/null || echo redis-server
        command -v redis-cli >/dev/null && command -v redis-check-aof >/dev/null || echo redis-tools
        command -v strace >/dev/null || echo strace
        command -v ip >/dev/null || echo iproute2
        command -v haproxy >/dev/null || [ -x /usr/sbin/haproxy ] || echo haproxy
        command -v lz4 >/dev/null || echo lz4
        command -v zstd >/dev/null || echo zstd
        command -v chromium >/dev/null || echo chromium
        [ -x /usr/bin/python3 ] || echo python3
        /usr/bin/python3 -c 'import redis' 2>/dev/null || echo python3-redis
    fi
}

# Installs what is missing for "$1", and starts no service with it.
install_packages() {
    local packages policy=/usr/sbin/policy-rc.d has_made_policy=no status=0
    mapfile -t packages < <(missing_packages "$1")
    if [ ${#packages[@]} -eq 0 ]; then return 0; fi
    command -v apt-get >/dev/null || die "Missing, and there is no apt-get here: ${packages[*]}"
    say "Installing with apt: ${packages[*]}"
    if [ ! -e "$policy" ]; then
        # Debian asks this file whether a package may start its service: no, while we install.
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        has_made_policy=yes
    fi
    quietly as_root apt-get update &&
        quietly as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y --no-install-recommends "${packages[@]}" || status=$?
    if [ "$has_made_policy" = yes ]; then as_root rm -f "$policy"; fi
    if [ "$status" -ne 0 ]; then die "Could not install: ${packages[*]}"; fi
    case " ${packages[*]} " in
    *" redis-server "*)
        # The tests start their own; the next boot shall not start one either.
        as_root update-rc.d redis-server disable >/dev/null 2>&1 || true
        if [ -d /run/systemd/system ]; then
            as_root systemctl disable redis-server >/dev/null 2>&1 || true
        fi
        ;;
    esac
}

check_swift() {
    command -v swift >/dev/null ||
        die "No swift in PATH. Holdfast needs the Swift 6.3 toolchain: https://www.swift.org/install/linux/"
    local version
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
    case "$version" in
    6.[3-9] | 6.[1-9][0-9] | [7-9].*) ;;
    *) die "Found Swift ${version:-of an unknown version}; Holdfast needs 6.3 or later: https://www.swift.org/install/linux/" ;;
    esac
}

build_server() {
    say "Building holdfast-server (release) ..."
    quietly swift build --package-path "$root" "${release[@]}" --product holdfast-server
}
