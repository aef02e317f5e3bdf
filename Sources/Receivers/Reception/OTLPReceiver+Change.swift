import Basics
import NIOCore
package import Pipeline
import Synchronization
import TLS

// Another receiver's settings for the listener and the connections of one that runs.

extension OTLPReceiver {
    /// Reads the certificate.
    package func getReady() async throws {
        do throws(TLSProblem) {
            try context.tls?.load()
        } catch {
            throw ListenError(address: context.settings.listen, reason: error.message)
        }
    }

    /// Takes the other's settings; what they have in common stays, such as who guessed how often, and what each client uses.
    ///
    /// Connections that were opened with other TLS end behind their next answers.
    package func goOn(as other: any Receiver) async -> Bool {
        guard let other = other as? OTLPReceiver else { return false }
        let (new, newMembers) = other.state.withLock { ($0.context, $0.members) }
        let (old, oldMembers) = state.withLock { ($0.context, $0.members) }
        var context = new
        context.connections = old.connections
        context.notices = old.notices
        context.credentials = old.credentials
        let keepsMembers = new.settings.auth == old.settings.auth
        if keepsMembers { context.access = old.access }
        if new.settings.limits == old.settings.limits { context.limits = old.limits }
        let isSameTLS = new.settings.tls == old.settings.tls
        if isSameTLS { context.tls = old.tls }
        let observers = state.withLock { state in
            state.context = context
            if !keepsMembers { state.members = newMembers }
            return state.observers
        }
        for observer in observers {
            // It fails only where the event loop has ended, and the connections with it.
            try? await observer.eventLoop.submit { [context] in
                observer.loop.value.change(context, isStale: !isSameTLS)
            }.get()
        }
        if keepsMembers {
            newMembers?.close()
        } else {
            newMembers?.start()
            oldMembers?.close()
        }
        if !isSameTLS {
            context.tls?.watch()
            old.tls?.stop()
        }
        return true
    }
}
