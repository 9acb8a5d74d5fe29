#include "obs/metric_page.hpp"
#include "obs/work_counters.hpp"
#include "obs/work_state.hpp"

namespace radscheduler::sidecar {

void add_work(Page& page, const WorkCounters& counters, const WorkState& state) {
    auto& tries =
        page.family("radsched_task_attempts_total", "Tries of tasks, by what came of them.", MetricType::Counter);
    for (std::size_t i = 0; i < WorkCounters::outcomes.size(); ++i) {
        Page::value(tries, {{"kind", "hl7_out"}, {"outcome", std::string(WorkCounters::outcomes[i])}},
                    static_cast<double>(counters.attempts[i].value()));
    }
    if (!state.tasks.empty()) { // a family without a value is no good text
        auto& tasks = page.family("radsched_tasks", "Tasks that are not done, by state.", MetricType::Gauge);
        for (const auto& count : state.tasks) {
            Page::value(tasks, {{"kind", count.kind}, {"state", count.state}}, count.tasks);
        }
        auto& oldest = page.family("radsched_task_oldest_seconds", "Age of the oldest of them.", MetricType::Gauge);
        for (const auto& count : state.tasks) {
            Page::value(oldest, {{"kind", count.kind}, {"state", count.state}}, count.oldest_seconds);
        }
    }
    page.durations("radsched_link_answer_seconds", "Time from sending a message of a link to its acknowledgement.",
                   counters.answer_seconds);
    page.gauge("radsched_link_connections", "Open connections to receivers of links.",
               static_cast<double>(state.link_connections));
    page.counter("radsched_link_connects_total", "Connections to receivers of links opened.", counters.link_connects);
    page.counter("radsched_link_connect_failures_total", "Tries to open one that failed.",
                 counters.link_connect_failures);
}

} // namespace radscheduler::sidecar
