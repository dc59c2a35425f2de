internal import Glibc
internal import HoldfastBytes

/// A bar on the terminal, if standard output is one.
public enum ProgressBar {
    private static let width: Int64 = 40

    public static func show(loaded: Int64, total: Int64) {
        guard isatty(1) == 1, total > 0 else { return }
        let share = min(max(loaded, 0), total)
        let filled = Int(share * width / total)
        let bar =
            String(repeating: "#", count: filled)
            + String(repeating: ".", count: Int(width) - filled)
        write("\r[\(bar)] \(share * 100 / total) %")
    }

    public static func clear() {
        guard isatty(1) == 1 else { return }
        write("\r\u{1B}[K")
    }

    private static func write(_ text: String) {
        text.withSlice { slice in
            // SAFETY: the kernel reads exactly the slice.
            unsafe _ = Glibc.write(1, slice.pointer, slice.count)
        }
    }
}
