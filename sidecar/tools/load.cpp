#include "tools/load.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "tools/message_file.hpp"
#include "tools/message_maker.hpp"
#include "tools/mllp_client.hpp"

namespace radscheduler::sidecar::tools {
namespace {

struct Run {
    const LoadOptions& options;
    std::string id;
    Clock::time_point started = Clock::now();
    std::uint64_t next = 0; // messages are handed out one by one, so a slow connection does not hold others up
    std::vector<double> latencies;
    LoadResult result;
};

Task<void> sender(Run& run, asio::any_io_executor executor) {
    MllpClient client(executor, run.options.host, run.options.port, run.options.timeout);
    asio::steady_timer pace(executor);
    while (run.next < run.options.messages) {
        const auto index = run.next++;
        if (run.options.rate > 0) {
            error_code ec;
            const std::chrono::duration<double> offset(static_cast<double>(index) / run.options.rate);
            pace.expires_at(run.started + std::chrono::duration_cast<Clock::duration>(offset));
            co_await pace.async_wait(into(ec));
        }
        auto message = load_message(run.id, index, run.options.colliding);
        const auto begun = Clock::now();
        ++run.result.sent;
        const auto answer = co_await client.exchange(std::move(message));
        const auto code = ack_code(answer.ack);
        const auto expected_id = run.id + "-" + std::to_string(index);
        if (answer.ack.empty() || ack_control_id(answer.ack) != expected_id) {
            ++run.result.lost;
            if (run.result.first_problem.empty()) {
                run.result.first_problem =
                    answer.ack.empty() ? answer.problem : "an acknowledgement answers another message";
            }
            continue;
        }
        run.latencies.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begun).count());
        ++(code == "AA" || code == "CA" ? run.result.positive : run.result.negative);
        if (run.result.first_problem.empty() && code != "AA" && code != "CA") {
            run.result.first_problem = "answered " + code;
        }
    }
}

double percentile(const std::vector<double>& sorted, double share) {
    if (sorted.empty()) {
        return 0;
    }
    const auto index = static_cast<std::size_t>(std::lround(share * static_cast<double>(sorted.size() - 1)));
    return sorted[index];
}

double per_second(const LoadResult& result) {
    return result.seconds > 0 ? static_cast<double>(result.positive + result.negative) / result.seconds : 0;
}

} // namespace

LoadResult run_load(const LoadOptions& options) {
    asio::io_context io(1);
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    Run run{options,      fmt::format("L{:x}", std::chrono::duration_cast<std::chrono::milliseconds>(now).count()),
            Clock::now(), 0,
            {},           {}};
    for (std::uint64_t i = 0; i < options.connections; ++i) {
        asio::co_spawn(io, sender(run, io.get_executor()), asio::detached);
    }
    io.run();
    run.result.seconds = std::chrono::duration<double>(Clock::now() - run.started).count();
    std::sort(run.latencies.begin(), run.latencies.end());
    run.result.p50_ms = percentile(run.latencies, 0.50);
    run.result.p95_ms = percentile(run.latencies, 0.95);
    run.result.p99_ms = percentile(run.latencies, 0.99);
    run.result.max_ms = run.latencies.empty() ? 0 : run.latencies.back();
    return run.result;
}

std::string to_text(const LoadOptions& options, const LoadResult& result) {
    auto text = fmt::format("{} messages over {} connection(s) in {:.2f} s: {:.0f} msg/s\n"
                            "AA {}, NAK {}, lost {}\n"
                            "p50 {:.2f} ms, p95 {:.2f} ms, p99 {:.2f} ms, max {:.2f} ms\n",
                            result.sent, options.connections, result.seconds, per_second(result), result.positive,
                            result.negative, result.lost, result.p50_ms, result.p95_ms, result.p99_ms, result.max_ms);
    if (!result.first_problem.empty()) {
        text += "first problem: " + result.first_problem + "\n";
    }
    return text;
}

std::string to_json(const LoadOptions& options, const LoadResult& result) {
    const nlohmann::ordered_json json{{"connections", options.connections},
                                      {"colliding", options.colliding},
                                      {"sent", result.sent},
                                      {"acked", result.positive},
                                      {"nak", result.negative},
                                      {"lost", result.lost},
                                      {"seconds", result.seconds},
                                      {"per_second", per_second(result)},
                                      {"p50_ms", result.p50_ms},
                                      {"p95_ms", result.p95_ms},
                                      {"p99_ms", result.p99_ms},
                                      {"max_ms", result.max_ms},
                                      {"first_problem", result.first_problem}};
    return json.dump() + "\n";
}

} // namespace radscheduler::sidecar::tools
