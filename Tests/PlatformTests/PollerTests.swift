import HoldfastPlatform
import Testing

@Suite struct PollerTests {
    @Test("a signal wakes the poller with its token until it is drained")
    func wakes() throws {
        let poller = try Poller()
        let wakeUp = try WakeUp()
        try poller.add(wakeUp.descriptor, token: 0xFFFF_0000_1234_5678, .readable)
        #expect(poller.wait(milliseconds: 0) == 0)
        wakeUp.signal()
        wakeUp.signal()
        for _ in 0..<2 {
            #expect(poller.wait(milliseconds: -1) == 1)
            let event = poller.event(at: 0)
            #expect(event.token == 0xFFFF_0000_1234_5678)
            #expect(event.isReadable && !event.isWritable && !event.isBroken)
        }
        wakeUp.drain()
        #expect(poller.wait(milliseconds: 0) == 0)
        // Draining without a signal doesn't block.
        wakeUp.drain()
    }

    @Test("a signal from another thread ends a wait")
    func otherThread() throws {
        let poller = try Poller()
        let wakeUp = try WakeUp()
        try poller.add(wakeUp.descriptor, token: 1, .readable)
        let other = try WorkerThread(name: "test") { wakeUp.signal() }
        #expect(poller.wait(milliseconds: -1) == 1)
        other.join()
    }

    @Test("interest can be changed and withdrawn")
    func interest() throws {
        let poller = try Poller()
        let first = try WakeUp()
        let second = try WakeUp()
        try poller.add(first.descriptor, token: 1, [.readable, .writable])
        try poller.add(second.descriptor, token: 2, .readable)
        #expect(poller.wait(milliseconds: 0) == 1)
        #expect(poller.event(at: 0).isWritable && !poller.event(at: 0).isReadable)
        try poller.change(first.descriptor, token: 3, .readable)
        #expect(poller.wait(milliseconds: 0) == 0)
        first.signal()
        second.signal()
        #expect(poller.wait(milliseconds: 0) == 2)
        #expect(Set([poller.event(at: 0).token, poller.event(at: 1).token]) == [2, 3])
        poller.remove(first.descriptor)
        #expect(poller.wait(milliseconds: 0) == 1)
        #expect(poller.event(at: 0).token == 2)
    }

    @Test("a descriptor that can't be watched is refused with the call's name")
    func refused() throws {
        let poller = try Poller()
        let wakeUp = try WakeUp()
        try poller.add(wakeUp.descriptor, token: 1, .readable)
        for descriptor in [wakeUp.descriptor, -1] {
            do throws(SystemError) {
                try poller.add(descriptor, token: 1, .readable)
                Issue.record("took \(descriptor)")
            } catch {
                #expect(error.call == "epoll_ctl")
            }
        }
    }
}
