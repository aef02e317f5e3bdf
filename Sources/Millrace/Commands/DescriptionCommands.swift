import ArgumentParser
import Basics
import Configuration

/// `millrace schema`: for editors and for checks in other tools.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print the JSON Schema of the pipeline file."
    )

    func run() {
        writeLine(Catalogue.schema(), to: .standardOutput)
    }
}

/// `millrace reference`: pipelines/REFERENCE.md.
struct ReferenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reference",
        abstract: "Print the reference of the pipeline file as Markdown.",
        shouldDisplay: false
    )

    @Flag(help: "The table of clients in pipelines/docs/connect.md instead.") var clients = false

    func run() {
        writeLine(clients ? KnownClient.reference : Catalogue.reference(), to: .standardOutput)
    }
}

/// `millrace version`.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

    func run() {
        writeLine("\(Product.name) \(Product.version)", to: .standardOutput)
    }
}
