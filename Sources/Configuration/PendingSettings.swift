package import Basics
package import MLflow

package struct MLflowMapSettings: Sendable {
    package var conventions: [String]?
    package var userRules: RuleDocument?
    package var keepsSource = true
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
