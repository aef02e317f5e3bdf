import OTLP

extension Meters {
    /// What a family counts; that of one signal's items is told in its words.
    static func help(for name: String) -> String? {
        if let help = help[name] { return help }
        guard let signal = Signal.allCases.first(where: { name.contains("_\($0.itemsName)") }) else { return nil }
        let words = signal.items.prefix(1).uppercased() + signal.items.dropFirst()
        return help[name.replacing(signal.itemsName, with: Signal.traces.itemsName)]?.replacing("Spans", with: words)
    }

    /// What each family counts, for its `# HELP` line; what counts items under its name for spans.
    private static let help: [String: String] = [
        "millrace_receiver_accepted_spans_total": "Spans taken and answered with success.",
        "millrace_receiver_refused_spans_total":
            "Spans answered with a failure or named in a partial success, by reason.",
        "millrace_receiver_denied_requests_total":
            "Requests refused for their credentials, their experiment or their `Host`, by reason.",
        "millrace_receiver_refused_origin_requests_total": "Requests of web pages refused for their origin.",
        "millrace_receiver_identity_accepted_spans_total": "Spans taken, by who sent them.",
        "millrace_receiver_identity_refused_spans_total": "Spans not taken, by who sent them and reason.",
        "millrace_receiver_member_files_valid":
            "1 while the files of members count as they are, 0 while one is wrong or at odds with another.",
        "millrace_receiver_over_limit_total":
            "Connections and requests of clients that use as much as they may, by limit and by who sent them.",
        "millrace_receiver_proxy_header_failures_total":
            "Connections of load balancers closed for want of a PROXY header, by reason.",
        "millrace_receiver_requests_total": "Requests answered, by status code.",
        "millrace_receiver_held_requests_total": "Requests that waited for room before they were answered, by reason.",
        "millrace_receiver_connections": "Connections open now.",
        "millrace_receiver_partitions": "Partitions of a stream that are served here and can be pulled.",
        "millrace_receiver_redelivered_spans_total":
            "Spans of messages that a stream delivered again; those that were taken before are not taken twice.",
        "millrace_receiver_records_total": "Records of files that were answered, by what became of them.",
        "millrace_receiver_unread_bytes": "Bytes of files that are to be read.",
        "millrace_receiver_messages_total": "Messages of a stream that were answered, by what they were told.",
        "millrace_receiver_deviations_total":
            "Tolerated deviations from the OTLP specification, by kind and client (its User-Agent).",
        "millrace_receiver_forgotten_clients_total":
            "Idle clients whose deviations were forgotten to make room for others.",
        "millrace_receiver_unnamed_clients_total": "Requests of deviating clients that there is no room to remember.",
        "millrace_processor_filtered_spans_total": "Spans dropped by a filter.",
        "millrace_processor_sampled_out_spans_total": "Spans dropped by sampling.",
        "millrace_processor_mapped_spans_total": "Spans given attributes that MLflow understands.",
        "millrace_processor_repaired_spans_total": "Spans on which a value that MLflow would refuse was mended.",
        "millrace_processor_unmapped_spans_total":
            "Spans left as they came, because mapping them would cost more than one request may.",
        "millrace_processor_defaulted_spans_total": "Spans whose own route was over max_routes or has too long a name.",
        "millrace_processor_forgotten_routes_total": "Routes forgotten after idleness to make room for others.",
        "millrace_processor_redacted_total":
            "Texts that something was put in the place of, by what found it and where it stood.",
        "millrace_processor_truncated_total":
            "Texts that were cut, and attributes and events taken out, by where they stood.",
        "millrace_processor_created_spans_total": "Spans added to traces that lack them.",
        "millrace_processor_joined_log_records_total": "Log records that became content of spans.",
        "millrace_window_seen_traces_total":
            "Traces that were decided, kept or not, by experiment and by the model that they used most.",
        "millrace_window_seen_error_traces_total": "Those of them with a span whose status is an error.",
        "millrace_window_seen_tokens_total": "Tokens of decided traces, kept or not, by experiment and model.",
        "millrace_window_seen_cost_total": "What decided traces cost, kept or not, by experiment and model.",
        "millrace_window_traces": "Traces that wait until they are complete.",
        "millrace_window_bytes": "Bytes held of them: what `memory` bounds, decisions under way, and some records.",
        "millrace_window_decided_traces_total":
            "Traces that went on, by the reason why they did not wait any longer; `open`: steps in which spans of open ones went ahead.",
        "millrace_exporter_delivered_spans_total": "Spans that the destination took.",
        "millrace_exporter_rejected_spans_total": "Spans that the destination turned away in a partial success.",
        "millrace_exporter_dead_lettered_spans_total": "Spans set aside because the destination refuses them.",
        "millrace_exporter_expired_spans_total": "Spans given up by age or budget.",
        "millrace_exporter_attempts_total": "Requests sent to the destination, by outcome.",
        "millrace_exporter_attempt_seconds": "Time from sending a request to its outcome.",
        "millrace_exporter_circuit_open": "1 while the destination is taken to be down and only probed, else 0.",
        "millrace_exporter_endpoint_in_use":
            "Which of its `endpoints` an exporter sends to, from 1 in the order of the file; 0 while none of them answers.",
        "millrace_exporter_queued_spans": "Spans in the journal that are not settled yet.",
        "millrace_exporter_oldest_queued_seconds": "Age of the oldest item that is not settled yet.",
        "millrace_journal_bytes": "Bytes of all segments.",
        "millrace_journal_segments": "Number of segments.",
        "millrace_journal_room_bytes": "Bytes that may still be written before the journal, or its disk, is full.",
        "millrace_journal_lost_spans_total": "Spans whose records disk damage destroyed.",
        "millrace_journal_sync_seconds": "Time that one sync of the journal took.",
        "millrace_telemetry_dropped_spans_total":
            "Spans about Millrace itself that found no room or were not taken where telemetry goes.",
        "millrace_tls_certificate_expiry_timestamp_seconds":
            "When the certificate that is served, or one of its chain, expires, in seconds since 1970.",
        "millrace_tls_last_reload_success": "0 while changed files cannot be served and the earlier ones stay, else 1.",
        "millrace_tls_handshake_failures_total": "Connections to a TLS port that came to nothing, by reason.",
        "millrace_config_last_reload_success": "0 where the pipeline file was not taken when it was last read, else 1.",
        "millrace_config_last_reload_success_timestamp_seconds":
            "When the pipeline file that runs was taken, in seconds since 1970.",
        "millrace_config_info": "The SHA-256 of the pipeline file that runs, as a label.",
        "millrace_process_resident_bytes": "Resident memory of the process.",
        "millrace_process_cpu_seconds_total": "CPU time used by the process, user and system.",
        "millrace_process_start_seconds": "When the process started, in seconds since 1970.",
    ]
}
