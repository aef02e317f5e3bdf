import MLflow
import Pipeline

extension SpanWork {
    /// Whether a span satisfies a condition, with what `mlflow_map` found out about it where it ran before.
    func satisfies(_ condition: Condition, _ span: Int) -> Bool {
        condition.matches(span, in: batch, mapped: mapped.isEmpty ? nil : mapped[span])
    }
}
