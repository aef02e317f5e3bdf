import MLflow
import OTLP
package import Pipeline

extension MLflowMap: NotingProcessor {
    package func process(_ work: inout SpanWork, noting notes: inout [SpanNote]) {
        notes += explain(&work).map { SpanNote($0.span, .mapped($0)) }
    }
}
