import Basics
import Glibc

/// A terminal that one program has to itself: what was there before is back when it closes.
struct Screen {
    private let before: termios

    /// Nil where standard input and output are no terminal.
    init?() {
        var settings = termios()
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1, tcgetattr(STDIN_FILENO, &settings) == 0 else {
            return nil
        }
        before = settings
        // Keys come one by one, unseen, and none of them is a signal.
        settings.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
        tcsetattr(STDIN_FILENO, TCSANOW, &settings)
        writeWhole("\u{1B}[?1049h\u{1B}[?25l", to: .standardOutput)
    }

    func close() {
        var settings = before
        writeWhole("\u{1B}[?25h\u{1B}[?1049l", to: .standardOutput)
        tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    }

    /// Columns and rows.
    var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Shows these lines and nothing else; what a terminal would act on in them is taken out.
    func draw(_ lines: [TopTable.Line]) {
        let text = lines.map { line in
            let style =
                switch line.weight {
                case .plain: ""
                case .heading: "\u{1B}[1m"
                case .faint: "\u{1B}[2m"
                case .bad: "\u{1B}[31m"
                }
            return style + line.text.withoutControls + "\u{1B}[0m\u{1B}[K"
        }
        writeWhole("\u{1B}[H" + text.joined(separator: "\r\n") + "\u{1B}[J", to: .standardOutput)
    }

    /// Blocks for the next byte of standard input; nil at its end.
    static func readKey() -> UInt8? {
        var key: UInt8 = 0
        while true {
            let count = unsafe read(STDIN_FILENO, &key, 1)
            if count == 1 { return key }
            guard count < 0, errno == EINTR else { return nil }
        }
    }
}
