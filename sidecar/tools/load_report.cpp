#include "tools/load_report.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

namespace radscheduler::sidecar::tools {
namespace {

constexpr std::size_t bar_width = 24;

double per_second(const LoadResult& result, double seconds) {
    return seconds > 0 ? static_cast<double>(result.measured) / seconds : 0;
}

// How much of the run is done, 0 to 1; of two ends the nearer one.
double share_done(const LoadOptions& options, const LoadResult& result, double seconds) {
    const auto answered = static_cast<double>(result.positive + result.negative + result.lost);
    const auto by_messages = options.messages > 0 ? answered / static_cast<double>(options.messages) : 0;
    const auto by_time = options.seconds > 0 ? seconds / options.seconds : 0;
    return std::min(std::max(by_messages, by_time), 1.0);
}

} // namespace

std::string progress_line(const LoadOptions& options, const LoadResult& result, double seconds) {
    const auto share = share_done(options, result, seconds);
    const auto filled = static_cast<std::size_t>(share * static_cast<double>(bar_width));
    const auto left = share > 0 ? seconds / share - seconds : 0;
    return fmt::format("[{}{}] {:3.0f} %  {} answered, {:.0f} msg/s, NAK {}, lost {}, p99 {:.1f} ms, {:.0f} s left",
                       std::string(filled, '#'), std::string(bar_width - filled, '.'), share * 100,
                       result.positive + result.negative, per_second(result, seconds), result.negative, result.lost,
                       result.latencies.percentile_ms(0.99), left);
}

std::string to_text(const LoadOptions& options, const LoadResult& result) {
    const auto& times = result.latencies;
    auto text = fmt::format("{} messages over {} connection(s) in {:.2f} s: {:.0f} msg/s\n"
                            "AA {}, NAK {}, lost {}\n"
                            "p50 {:.2f} ms, p95 {:.2f} ms, p99 {:.2f} ms, max {:.2f} ms\n",
                            result.sent, options.connections, result.seconds, per_second(result, result.seconds),
                            result.positive, result.negative, result.lost, times.percentile_ms(0.5),
                            times.percentile_ms(0.95), times.percentile_ms(0.99), times.max_ms());
    if (!result.first_problem.empty()) {
        text += "first problem: " + result.first_problem + "\n";
    }
    return text;
}

std::string to_json(const LoadOptions& options, const LoadResult& result) {
    nlohmann::ordered_json events = nlohmann::ordered_json::object();
    for (const auto& [name, count] : result.events) {
        events[std::string(name)] = count;
    }
    const auto& times = result.latencies;
    const nlohmann::ordered_json json{{"run", result.run},
                                      {"connections", options.connections},
                                      {"burst", options.burst},
                                      {"rate", options.rate},
                                      {"colliding", options.colliding},
                                      {"tls", options.to.tls != nullptr},
                                      {"seed", options.seed},
                                      {"sent", result.sent},
                                      {"events", events},
                                      {"acked", result.positive},
                                      {"nak", result.negative},
                                      {"lost", result.lost},
                                      {"codes", result.codes},
                                      {"measured", result.measured},
                                      {"seconds", result.seconds},
                                      {"per_second", per_second(result, result.seconds)},
                                      {"p50_ms", times.percentile_ms(0.5)},
                                      {"p95_ms", times.percentile_ms(0.95)},
                                      {"p99_ms", times.percentile_ms(0.99)},
                                      {"max_ms", times.max_ms()},
                                      {"first_problem", result.first_problem}};
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

} // namespace radscheduler::sidecar::tools
