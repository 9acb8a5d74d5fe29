#include "obs/http_counters.hpp"
#include "obs/metric_page.hpp"

namespace radscheduler::sidecar {

void add_http(Page& page, const HttpCounters& counters) {
    const auto answers = counters.answers();
    if (!answers.empty()) { // a family without a value is no good text
        auto& requests = page.family("radsched_http_requests_total", "HTTP requests answered, by route and status.",
                                     MetricType::Counter);
        for (const auto& [key, count] : answers) {
            const auto& [route, method, status] = key;
            Page::value(
                requests,
                {{"route", std::string(route)}, {"method", std::string(method)}, {"code", std::to_string(status)}},
                static_cast<double>(count));
        }
    }
    page.durations("radsched_http_request_duration_seconds", "Time from the header of a request to its answer.",
                   counters.seconds());
}

} // namespace radscheduler::sidecar
