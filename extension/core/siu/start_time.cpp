// The chain of places that may hold the start.
#include "start_time.hpp"

#include <cstdlib>

namespace radscheduler::siu {

namespace {

constexpr std::int64_t kSameMinute = 60;
constexpr std::size_t kTqStart = 4;
constexpr std::size_t kTqEnd = 5;

struct Candidate {
    StartPlace place = StartPlace::none;
    const TimeField* time = nullptr;
};

bool same_day(const Timestamp& a, const Timestamp& b) {
    return a.year == b.year && a.month == b.month && a.day == b.day;
}

bool disagree(const Timestamp& a, const Timestamp& b) {
    if (!a.has_time() || !b.has_time()) return !same_day(a, b);
    return std::llabs(seconds_between(a, b)) > kSameMinute;
}

// Earliest usable start of one kind of segment; without one, the first unusable one.
const TimeField* earliest(const std::vector<TimedPart>& parts, std::string_view name, bool repaired) {
    const TimeField* best = nullptr;
    for (const TimedPart& part : parts) {
        if (part.name != name || part.removed || part.timing.repaired != repaired) continue;
        const TimeField& start = part.timing.start;
        if (start.path.empty()) continue;
        const bool better = best == nullptr || (start.stamp && !best->stamp) ||
                            (start.stamp && best->stamp && seconds_between(*start.stamp, *best->stamp) > 0);
        if (better) best = &start;
    }
    return best;
}

std::vector<Candidate> candidates(const Context& context, const ScheduleTimes& times, const ScheduleLayout& layout,
                                  const std::vector<TimedPart>& parts) {
    std::vector<Candidate> chain;
    const auto add = [&chain](StartPlace place, const TimeField* time) {
        if (time != nullptr && !time->path.empty()) chain.push_back({place, time});
    };
    const bool service_first = context.options().start_source == StartSource::service;
    if (service_first) add(StartPlace::part, earliest(parts, "AIS", false));
    add(StartPlace::timing_segment, &times.timing_start);
    if (!layout.timing_repaired()) add(StartPlace::schedule, &times.schedule_start);
    if (!service_first) add(StartPlace::part, earliest(parts, "AIS", false));
    for (const std::string_view name : {"AIL", "AIG", "AIP"})
        add(StartPlace::part, earliest(parts, name, false));
    if (layout.timing_repaired()) add(StartPlace::schedule, &times.schedule_start);
    for (const std::string_view name : {"AIS", "AIL", "AIG", "AIP"}) {
        add(StartPlace::part, earliest(parts, name, true));
    }
    return chain;
}

void remark_disagreement(Context& context, const Candidate& winner, const Candidate& other) {
    if (other.time == winner.time || !other.time->stamp || !disagree(*winner.time->stamp, *other.time->stamp)) return;
    context.warn("TIME_DISAGREE", other.time->path,
                 other.time->path + " says " + other.time->stamp->iso() + ", but " + winner.time->path + " says " +
                     winner.time->stamp->iso() + "; " + winner.time->path + " was used.");
}

} // namespace

std::int64_t seconds_between(const Timestamp& earlier, const Timestamp& later) {
    if (earlier.offset_minutes && later.offset_minutes) return later.instant_seconds() - earlier.instant_seconds();
    return later.wall_seconds() - earlier.wall_seconds();
}

ScheduleTimes read_schedule_times(Context& context, const SegmentPlan& plan, const ScheduleLayout& layout) {
    ScheduleTimes times;
    for (std::size_t i = 0; i < plan.timings.size(); ++i) {
        const bool has_start = plan.timings[i].text(7).has_value();
        if (times.timing != nullptr && !has_start) continue;
        times.timing = &plan.timings[i];
        times.timing_name = i == 0 ? "TQ1" : "TQ1[" + std::to_string(i + 1) + "]";
        if (has_start) break;
    }
    if (times.timing != nullptr) {
        times.timing_start = read_time(context, times.timing->text(7).value, times.timing_name + "-7");
        times.timing_end = read_time(context, times.timing->text(8).value, times.timing_name + "-8");
    }
    std::string tq = "SCH-" + std::to_string(layout.timing);
    if (layout.repetition > 1) tq += "[" + std::to_string(layout.repetition) + "]";
    const auto component = [&](std::size_t number) {
        return read_time(context, plan.sch.text(layout.timing, number, layout.repetition).value,
                         tq + "." + std::to_string(number));
    };
    times.schedule_start = component(kTqStart);
    times.schedule_end = component(kTqEnd);
    return times;
}

ChosenStart choose_start(Context& context, const ScheduleTimes& times, const ScheduleLayout& layout,
                         const std::vector<TimedPart>& parts) {
    const std::vector<Candidate> chain = candidates(context, times, layout, parts);
    ChosenStart chosen;
    Candidate winner;
    const TimeField* culprit = nullptr;
    for (const Candidate& candidate : chain) {
        if (candidate.time->stamp) {
            winner = candidate;
            break;
        }
        if (candidate.time->time_shaped) {
            culprit = candidate.time;
            context.fail("102", culprit->path, culprit->fault);
            chosen.failed = true;
            break;
        }
    }
    for (const TimeField* time : {&times.timing_start, &times.schedule_start}) {
        if (time != culprit) remark_fault(context, *time);
    }
    for (const TimedPart& part : parts) {
        if (&part.timing.start != culprit) remark_fault(context, part.timing.start);
    }
    if (winner.time == nullptr) return chosen;

    if (!winner.time->stamp->has_time()) {
        for (const Candidate& candidate : chain) {
            const std::optional<Timestamp>& stamp = candidate.time->stamp;
            if (!stamp || !stamp->has_time() || !same_day(*stamp, *winner.time->stamp)) continue;
            context.warn("TIME_REFINED", winner.time->path,
                         winner.time->path + " gives a date only; the time of day was taken from " +
                             candidate.time->path + ".");
            winner = candidate;
            break;
        }
    }
    const Candidate primary[] = {{StartPlace::timing_segment, &times.timing_start},
                                 {StartPlace::schedule, &times.schedule_start},
                                 {StartPlace::part, earliest(parts, "AIS", false)}};
    for (const Candidate& other : primary) {
        if (other.time != nullptr) remark_disagreement(context, winner, other);
    }
    chosen.place = winner.place;
    chosen.stamp = winner.time->stamp;
    return chosen;
}

} // namespace radscheduler::siu
