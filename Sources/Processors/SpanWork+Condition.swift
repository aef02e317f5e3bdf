import Conditions
import MLflow
import Pipeline

extension SpanWork {
    /// Whether a span satisfies a condition, with what `mlflow_map` found out about it where it ran before; false where there
    /// is no condition.
    ///
    /// The matcher holds that one condition and is used for this request alone.
    func satisfies(_ condition: inout ConditionMatcher?, _ span: Int) -> Bool {
        condition?.matches(0, span, in: batch, mapped: mapped.isEmpty ? nil : mapped[span]) ?? false
    }
}
