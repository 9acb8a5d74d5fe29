// What the daemon has done since it started, as numbers. /health shows them.
// Invariant: counters only grow; gauges are named *_now. Relaxed atomics, so that any thread may count.
#pragma once

#include <array>
#include <string_view>

#include "obs/conflict_counts.hpp"
#include "obs/http_counters.hpp"
#include "obs/trigger_counts.hpp"
#include "obs/work_counters.hpp"

namespace radscheduler::sidecar {

struct Counters {
    // Outcomes of ingest(), in the order of `by_outcome`.
    static constexpr std::array<std::string_view, 7> outcomes{"applied", "flagged", "duplicate", "stale",
                                                              "ignored", "error",   "rejected"};
    std::array<TriggerCounts, outcomes.size()> by_outcome;
    ConflictCounts conflicts;
    Durations mllp_ack_seconds; // from the last byte of a message to its answer

    void note_message(std::string_view outcome, std::string_view trigger, double seconds) {
        for (std::size_t i = 0; i < outcomes.size(); ++i) {
            if (outcomes[i] == outcome) {
                by_outcome[i].add(trigger);
            }
        }
        mllp_ack_seconds.add(seconds);
    }

    Counter mllp_connections_now;
    Counter mllp_connections;
    Counter mllp_connections_refused;
    Counter mllp_messages;
    Counter mllp_acks_positive; // AA, CA
    Counter mllp_acks_negative; // AE, AR, CE, CR
    Counter mllp_held;          // messages that had to wait for the database
    Counter mllp_unanswered;    // messages whose connection was closed without an acknowledgement
    Counter mllp_batches;       // transactions that several messages shared
    Counter mllp_batched;       // messages in them
    Counter mllp_batches_failed;
    Counter mllp_quarantined;
    Counter mllp_quarantine_lost; // rejected frames that could not be kept
    Counter mllp_junk_bytes;
    Counter mllp_empty_frames;
    Counter mllp_half_frames;
    Counter mllp_too_large;
    Counter mllp_not_mllp;
    Counter mllp_tls_failed;

    Counter http_connections_now;
    Counter http_requests;
    Counter http_errors; // answers with status 500 and above
    HttpCounters http;

    // Figures that were asked for with Redis on, by what its cache gave. All but hits were counted by PostgreSQL.
    Counter cache_hits;
    Counter cache_misses;
    Counter cache_unusable; // of another site, database or day, too old, or not ours
    Counter cache_away;     // Redis not connected, too slow, or refusing

    Counter db_connects;
    Counter db_connect_failures;

    Counter live_connections_now;
    Counter live_connections;
    Counter live_frames;
    Counter live_resyncs;      // cursors that could not be followed
    Counter live_slow_dropped; // connections that did not read fast enough

    Counter relay_published;
    Counter relay_failures;
    Counter relay_repeated; // entries that their stream in Redis had already
    Gauge relay_leading_now;
    Gauge relay_waiting_now;     // events that are not published
    Gauge relay_horizon_pid_now; // whose transaction is the oldest that writes; 0: none, or a prepared one
    Gauge relay_horizon_ms_now;  // and how old that is

    WorkCounters work;
};

} // namespace radscheduler::sidecar
