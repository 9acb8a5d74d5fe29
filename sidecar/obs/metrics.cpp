#include "obs/metrics.hpp"

#include <prometheus/text_serializer.h>

#include "obs/metric_page.hpp"

namespace radscheduler::sidecar {
namespace {

void add_mllp(Page& page, const Counters& counters) {
    auto& messages =
        page.family("radsched_hl7_messages_total", "Messages processed, by what became of them.", MetricType::Counter);
    for (std::size_t i = 0; i < Counters::outcomes.size(); ++i) {
        Page::value(messages, {{"direction", "in"}, {"outcome", std::string(Counters::outcomes[i])}},
                    static_cast<double>(counters.by_outcome[i].value()));
    }
    page.durations("radsched_hl7_ack_seconds", "Time from the arrival of a message to its acknowledgement.",
                   counters.mllp_ack_seconds);
    page.gauge("radsched_mllp_connections", "Open MLLP connections.",
               static_cast<double>(counters.mllp_connections_now.value()));
    page.counter("radsched_mllp_connections_total", "MLLP connections let in.", counters.mllp_connections);
    page.counter("radsched_mllp_connections_refused_total", "MLLP connections refused by a limit or network.",
                 counters.mllp_connections_refused);
    page.counter("radsched_mllp_tls_failed_total", "TLS handshakes that failed.", counters.mllp_tls_failed);
    auto& rejected =
        page.family("radsched_mllp_rejected_frames_total", "Frames that never became a message.", MetricType::Counter);
    Page::value(rejected, {{"reason", "half"}}, static_cast<double>(counters.mllp_half_frames.value()));
    Page::value(rejected, {{"reason", "too_large"}}, static_cast<double>(counters.mllp_too_large.value()));
    Page::value(rejected, {{"reason", "not_mllp"}}, static_cast<double>(counters.mllp_not_mllp.value()));
    page.counter("radsched_mllp_junk_bytes_total", "Bytes outside frames.", counters.mllp_junk_bytes);
    page.counter("radsched_mllp_quarantined_total", "Rejected frames kept in hl7_quarantine.",
                 counters.mllp_quarantined);
    page.counter("radsched_mllp_quarantine_lost_total", "Rejected frames that could not be kept.",
                 counters.mllp_quarantine_lost);
    page.counter("radsched_mllp_held_total", "Messages that had to wait for the database.", counters.mllp_held);
    page.counter("radsched_mllp_unanswered_total", "Messages whose connection was closed without an answer.",
                 counters.mllp_unanswered);
    page.counter("radsched_mllp_batches_total", "Transactions that several messages shared.", counters.mllp_batches);
    page.counter("radsched_mllp_batched_messages_total", "Messages in such transactions.", counters.mllp_batched);
    page.counter("radsched_mllp_batches_failed_total", "Such transactions that failed; their messages went one by one.",
                 counters.mllp_batches_failed);
}

} // namespace

std::string metrics_text(const Counters& counters, const http::Probes& probes, const std::string& version) {
    Page page;
    Page::value(page.family("radsched_build_info", "The version that runs.", MetricType::Gauge), {{"version", version}},
                1);
    page.gauge("radsched_uptime_seconds", "Time since the start.", static_cast<double>(probes.uptime_seconds));
    page.gauge("radsched_draining", "1 while the daemon ends.", probes.draining ? 1 : 0);
    add_mllp(page, counters);
    add_work(page, counters.work, probes.work);
    page.gauge("radsched_http_connections", "Open HTTP connections.",
               static_cast<double>(counters.http_connections_now.value()));
    page.counter("radsched_http_answers_total", "HTTP requests answered.", counters.http_requests);
    page.counter("radsched_http_errors_total", "HTTP answers with status 500 and above.", counters.http_errors);
    auto& pool =
        page.family("radsched_pg_pool", "PostgreSQL sessions by state; waiting: users without one.", MetricType::Gauge);
    Page::value(pool, {{"state", "size"}}, static_cast<double>(probes.pool.size));
    Page::value(pool, {{"state", "connected"}}, static_cast<double>(probes.pool.connected));
    Page::value(pool, {{"state", "idle"}}, static_cast<double>(probes.pool.idle));
    Page::value(pool, {{"state", "waiting"}}, static_cast<double>(probes.pool.waiters));
    page.counter("radsched_pg_connects_total", "PostgreSQL sessions opened.", counters.db_connects);
    page.counter("radsched_pg_connect_failures_total", "Tries to open one that failed.", counters.db_connect_failures);
    page.gauge("radsched_redis_up", "1 while Redis is on and connected.", probes.redis_connected ? 1 : 0);
    page.gauge("radsched_outbox_lag_seconds", "Age of the oldest event that is not published to Redis.",
               static_cast<double>(probes.relay_lag_ms) / 1000);
    page.counter("radsched_relay_published_total", "Events published to Redis.", counters.relay_published);
    page.counter("radsched_relay_failures_total", "Tries to publish that failed.", counters.relay_failures);
    page.gauge("radsched_live_connections", "WebSockets and event streams that are open.",
               static_cast<double>(counters.live_connections_now.value()));
    page.counter("radsched_live_connections_total", "WebSockets and event streams that were asked for.",
                 counters.live_connections);
    page.counter("radsched_live_frames_total", "Frames and events written to them.", counters.live_frames);
    page.counter("radsched_live_resyncs_total", "Cursors that could not be followed without a gap.",
                 counters.live_resyncs);
    page.counter("radsched_live_slow_dropped_total", "Connections ended because they did not read fast enough.",
                 counters.live_slow_dropped);
    return prometheus::TextSerializer().Serialize(page.families);
}

} // namespace radscheduler::sidecar
