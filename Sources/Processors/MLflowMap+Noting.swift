import MLflow
import OTLP
package import Pipeline

extension MLflowMap: ExplainableProcessor {
    package func process(_ work: inout SpanWork, noting notes: inout [SpanNote]) {
        notes += explain(&work).map { SpanNote($0.span, .changed($0)) }
    }
}
