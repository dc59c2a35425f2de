import Foundation
import TestSupport
import Testing

/// The tools and libraries that people use with Redis, on the built server.
@Suite("tools and libraries made for Redis", .serialized)
struct PeerToolTests {
    private func cli(
        _ server: ServerProcess, _ words: String..., input: String = ""
    ) throws -> String {
        let run = try Subprocess.run(
            ["redis-cli", "-h", "127.0.0.1", "-p", String(server.port)] + words,
            input: Array(input.utf8))
        return run.output.trimmingCharacters(in: .newlines)
    }

    // MARK: redis-cli

    @Test("redis-cli sets, gets, loads by --pipe, walks by --scan and finds big keys")
    func redisCLI() throws {
        let server = try ServerProcess(["--appendfsync", "no"])
        #expect(try cli(server, "SET", "k", "a value") == "OK")
        #expect(try cli(server, "GET", "k") == "a value")
        #expect(try cli(server, "-3", "GET", "none") == "")
        #expect(try cli(server, "-n", "3", "SET", "k", "3") == "OK")
        #expect(try cli(server, "INCR", "k").hasPrefix("ERR value is not an integer"))
        #expect(try cli(server, "-r", "3", "INCR", "n") == "1\n2\n3")
        #expect(
            try cli(server, input: "MULTI\nINCR n\nGET n\nEXEC\n")
                .hasSuffix("4\n4"))

        let mass = (0..<5_000).map { Request.encode(["SET", "mass:\($0)", "value \($0)"]) }
        let pipe = try Subprocess.run(
            ["redis-cli", "-p", String(server.port), "--pipe"], input: Array(mass.joined()))
        #expect(pipe.output.contains("errors: 0, replies: 5000"), "\(pipe.output)")
        #expect(try cli(server, "GET", "mass:4999") == "value 4999")

        let keys = try cli(server, "--scan", "--pattern", "mass:*").split(separator: "\n")
        #expect(keys.count == 5_000 && Set(keys).count == 5_000)
        let big = try cli(server, "--bigkeys")
        #expect(big.contains("Sampled 5002 keys in the keyspace!"), "\(big)")
        #expect(big.contains("strings with"))
    }

    @Test("redis-cli shows INFO, --stat and --latency")
    func redisCLIWatches() throws {
        let server = try ServerProcess(["--appendfsync", "no"])
        #expect(try cli(server, "SET", "k", "v") == "OK")
        let info = try cli(server, "INFO")
        for field in [
            "redis_version:", "tcp_port:\(server.port)", "used_memory_human:", "aof_enabled:1",
            "role:master", "db0:keys=1,expires=0", "connected_clients:",
        ] { #expect(info.contains(field), "\(field) is not in \(info)") }
        let stat = try Subprocess(["redis-cli", "-p", String(server.port), "--stat", "-i", "0.1"])
        try stat.waitForOutput("requests")
        try stat.waitForOutput("(+")
        stat.signal(SIGKILL)
        #expect(try cli(server, "CLIENT", "LIST").contains("cmd=client|list"))
        #expect(try cli(server, "CONFIG", "GET", "appendonly") == "appendonly\nyes")
    }

    // MARK: redis-benchmark

    @Test("redis-benchmark's tests that apply run without an error", arguments: [1, 16])
    func redisBenchmark(depth: Int) throws {
        let server = try ServerProcess(["--appendfsync", "everysec"])
        let run = try Subprocess.run([
            "redis-benchmark", "-p", String(server.port), "-t",
            "ping_inline,ping_mbulk,set,get,incr,mset", "-n", "2000", "-q", "-P", String(depth),
        ])
        #expect(run.status == 0, "\(run.output)")
        for name in ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET"] {
            #expect(run.output.contains(name), "\(run.output)")
        }
        #expect(run.output.components(separatedBy: "requests per second").count - 1 == 6)
        #expect(!run.output.lowercased().contains("error"), "\(run.output)")
        #expect(try server.connect().command("GET", "counter:__rand_int__") == .bulk("2000"))
    }

    // MARK: redis-py

    @Test("redis-py connects, sets, gets, pipelines, watches and scans")
    func redisPy() throws {
        let python = "/usr/bin/python3"
        let probe = try? Subprocess.run([python, "-c", "import redis"])
        guard probe?.status == 0 else {
            return print("not run: python3-redis is not installed: \(probe?.output ?? "")")
        }
        let server = try ServerProcess(["--appendfsync", "no"])
        let script = """
            import redis, sys
            r = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
            assert r.ping()
            assert r.set('k', 'v', ex=1000) is True
            assert r.get('k') == 'v' and 990 < r.ttl('k') <= 1000
            assert r.set('k', 'w', nx=True) is None
            assert r.set('k', 'w', get=True) == 'v'
            assert r.get('none') is None
            assert r.incr('n', 5) == 5 and r.incrbyfloat('f', 0.5) == 0.5
            assert r.mset({'a': 1, 'b': 2}) and r.mget('a', 'b', 'c') == ['1', '2', None]
            assert r.setbit('bits', 7, 1) == 0 and r.bitcount('bits') == 1
            assert r.bitfield('bf').set('u8', 0, 200).incrby('u8', 0, 10).execute() == [0, 210]
            assert r.append('k', '!') == 2 and r.strlen('k') == 2
            assert sorted(r.keys('?')) == ['a', 'b', 'f', 'k', 'n']
            assert set(r.scan_iter(count=2)) == {'a', 'b', 'bf', 'bits', 'f', 'k', 'n'}
            assert r.type('a') == 'string' and r.exists('a', 'b', 'c') == 2
            assert r.rename('a', 'z') and r.delete('z') == 1
            assert r.expire('b', 50) and r.persist('b')
            with r.pipeline() as p:
                assert p.incr('n').incr('n').get('n').execute() == [6, 7, '7']
            with r.pipeline() as p:
                p.watch('n')
                r.set('n', 100)
                p.multi()
                p.incr('n')
                try:
                    p.execute()
                    assert False
                except redis.WatchError:
                    pass
            def double(p):
                n = int(p.get('n'))
                p.multi()
                p.set('n', 2 * n)
            assert r.transaction(double, 'n') == [True] and r.get('n') == '200'
            try:
                r.incr('k')
                assert False
            except redis.ResponseError as error:
                assert 'not an integer' in str(error)
            other = redis.Redis(port=int(sys.argv[1]), db=3)
            other.set(b'\\x00\\xff', b'\\r\\n')
            assert other.get(b'\\x00\\xff') == b'\\r\\n' and other.dbsize() == 1
            assert r.swapdb(0, 3) and r.dbsize() == 1
            other.flushdb()
            assert r.flushall() and r.dbsize() == 0
            info = r.info()
            assert info['role'] == 'master' and info['aof_enabled'] == 1, info
            assert r.config_get('appendfsync') == {'appendfsync': 'no'}
            assert r.config_set('maxclients', 5000)
            r.client_setname('me')
            assert r.client_getname() == 'me' and r.client_list()[0]['name'] in ('me', '')
            assert r.time()[0] > 1600000000
            assert 'get' in r.command()
            print('all well')
            """
        let run = try Subprocess.run([python, "-c", script, String(server.port)])
        #expect(run.status == 0 && run.output.contains("all well"), "\(run.output)")
    }
}
