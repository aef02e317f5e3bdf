package import Basics

package struct MLflowMapSettings: Sendable {
    package var conventions: [String] = []
    package var rules: [JSONNode] = []
    package var keepSource = true
}

package struct MLflowExperimentSettings: Sendable {
    package var from = ["header", "resource.service.name"]
    package var map: [Named<String>] = []
    package var defaultExperiment = "Default"
    package var create = true
    package var remember = Duration.seconds(600)
    package var maxRoutes = 1000
}

package struct SampleSettings: Sendable {
    package var ratio = 1.0
    package var keep: JSONNode?
}

package enum FileFormat: Sendable, Equatable {
    case json, protobuf
}

package struct FileSettings: Sendable {
    package var path = ""
    package var format = FileFormat.json
}

package enum ConsoleStyle: Sendable, Equatable {
    case tree, line
}

package struct ConsoleSettings: Sendable {
    package var style = ConsoleStyle.tree
}
