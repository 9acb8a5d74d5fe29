#include "obs/metrics.hpp"

#include <prometheus/text_serializer.h>

#include "app/version.hpp"
#include "db/query_times.hpp"
#include "obs/metric_page.hpp"

namespace radscheduler::sidecar {
namespace {

// Series of events that never came are left out, but for the first, so that there is always one to start from.
void add_triggers(MetricFamily& family, std::string_view direction, std::string_view outcome,
                  const TriggerCounts& counts) {
    for (std::size_t i = 0; i < TriggerCounts::words.size(); ++i) {
        const auto number = counts.count(i).value();
        if (number > 0 || i == 0) {
            Page::value(family,
                        {{"direction", std::string(direction)},
                         {"trigger", std::string(TriggerCounts::words[i])},
                         {"outcome", std::string(outcome)}},
                        static_cast<double>(number));
        }
    }
}

void add_messages(Page& page, const Counters& counters) {
    auto& messages = page.family("radsched_hl7_messages_total",
                                 "Messages by direction, event, and what became of them.", MetricType::Counter);
    for (std::size_t i = 0; i < Counters::outcomes.size(); ++i) {
        add_triggers(messages, "in", Counters::outcomes[i], counters.by_outcome[i]);
    }
    for (std::size_t i = 0; i < WorkCounters::outcomes.size(); ++i) {
        if (was_sent(WorkCounters::outcomes[i])) {
            add_triggers(messages, "out", WorkCounters::outcomes[i], counters.work.messages[i]);
        }
    }
    if (!counters.conflicts.counts().empty()) { // a family without a value is no good text
        auto& conflicts = page.family("radsched_conflicts_total", "Conflicts that messages over MLLP were told of.",
                                      MetricType::Counter);
        for (const auto& [code, number] : counters.conflicts.counts()) {
            Page::value(conflicts, {{"kind", code}}, static_cast<double>(number));
        }
    }
}

void add_queries(Page& page) {
    auto& family =
        page.family("radsched_pg_query_seconds", "Time that statements took, by statement.", MetricType::Histogram);
    for (std::size_t i = 0; i < db::statement_count; ++i) {
        const std::string_view name = db::statements[i].name;
        Page::add_durations(family, {{"op", std::string(name.substr(name.find('_') + 1))}}, db::query_times()[i]);
    }
}

void add_mllp(Page& page, const Counters& counters) {
    add_messages(page, counters);
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
    Page::value(page.family("radsched_build_info", "The version that runs.", MetricType::Gauge),
                {{"version", version}, {"commit", commit_text()}}, 1);
    page.gauge("radsched_uptime_seconds", "Time since the start.", static_cast<double>(probes.uptime_seconds));
    page.gauge("radsched_draining", "1 while the daemon ends.", probes.draining ? 1 : 0);
    add_mllp(page, counters);
    add_work(page, counters.work, probes.work);
    add_queries(page);
    add_process(page);
    page.gauge("radsched_http_connections", "Open HTTP connections.",
               static_cast<double>(counters.http_connections_now.value()));
    add_http(page, counters.http);
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
    auto& cached =
        page.family("radsched_cache_answers_total",
                    "Figures asked for, by what the cache in Redis gave; all but hit were counted by PostgreSQL.",
                    MetricType::Counter);
    Page::value(cached, {{"answer", "hit"}}, static_cast<double>(counters.cache_hits.value()));
    Page::value(cached, {{"answer", "miss"}}, static_cast<double>(counters.cache_misses.value()));
    Page::value(cached, {{"answer", "unusable"}}, static_cast<double>(counters.cache_unusable.value()));
    Page::value(cached, {{"answer", "away"}}, static_cast<double>(counters.cache_away.value()));
    page.gauge("radsched_outbox_lag_seconds", "Age of the oldest event that is not published to Redis.",
               static_cast<double>(probes.relay_lag_ms) / 1000);
    page.counter("radsched_relay_published_total", "Events published to Redis.", counters.relay_published);
    page.counter("radsched_relay_repeated_total", "Events that were in their Redis stream already.",
                 counters.relay_repeated);
    page.gauge("radsched_relay_leading", "1 while this daemon is the one that publishes.",
               static_cast<double>(counters.relay_leading_now.value()));
    page.gauge("radsched_outbox_waiting", "Events that are not published to Redis, 100,000 at most.",
               static_cast<double>(counters.relay_waiting_now.value()));
    const auto holder = counters.relay_horizon_pid_now.value();
    Page::value(page.family("radsched_event_horizon_seconds",
                            "Age of the oldest transaction that writes, anywhere in the cluster: events since it began "
                            "wait for it. pid: the session to end, empty when there is none.",
                            MetricType::Gauge),
                {{"pid", holder == 0 ? "" : std::to_string(holder)}},
                static_cast<double>(counters.relay_horizon_ms_now.value()) / 1000);
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
