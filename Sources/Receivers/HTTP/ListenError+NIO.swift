import Basics
import Glibc
import NIOCore

extension ListenError {
    /// What a failed bind says about the address.
    init(_ address: ListenAddress, _ error: any Error) {
        if case SocketAddressError.unknown = error {
            self.init(address: address, reason: "the host name cannot be resolved")
            return
        }
        guard let error = error as? IOError else {
            self.init(address: address, reason: "\(error)")
            return
        }
        let text = unsafe strerror(error.errnoCode).map { unsafe String(cString: $0) }
        self.init(address: address, reason: text ?? "errno \(error.errnoCode)")
    }
}
