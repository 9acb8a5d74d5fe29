// Reading ARQ and APR.
#include "request.hpp"

#include "../ascii.hpp"
#include "appointment_timing.hpp"
#include "resources.hpp"
#include "schedule.hpp"
#include "shape_repair.hpp"
#include "start_time.hpp"
#include "time_field.hpp"

#include <array>
#include <utility>

namespace radscheduler::siu {

namespace {

constexpr std::size_t kRange = 11;
constexpr std::size_t kPriority = 12;
constexpr std::size_t kMaxWindows = 20;
constexpr std::size_t kMaxCriteria = 20;

// Where the fields of ARQ stand in SCH; 0: in none. ARQ-11 and ARQ-12 go into the TQ of SCH-11.
constexpr std::array<std::size_t, 26> kInSchedule = {0, 1, 2,  3,  4,  5,  6,  7,  8,  9,  10, 0,  0,
                                                     0, 0, 12, 13, 14, 15, 20, 21, 22, 23, 24, 26, 27};
constexpr std::size_t kLastScheduleField = 27;

std::string range_path(std::size_t repetition, std::size_t component) {
    std::string path = "ARQ-" + std::to_string(kRange);
    if (repetition > 1) path += "[" + std::to_string(repetition) + "]";
    return path + "." + std::to_string(component);
}

// The ranges, and the text of the start where there is one range that is a moment.
std::string_view read_windows(Context& context, const SegmentFields& arq, SiuRequest& request) {
    std::string_view moment;
    for (std::size_t i = 1; i <= arq.repetitions(kRange) && request.windows.size() < kMaxWindows; ++i) {
        const TimeField from = read_time(context, arq.text(kRange, 1, i).value, range_path(i, 1));
        const TimeField until = read_time(context, arq.text(kRange, 2, i).value, range_path(i, 2));
        for (const TimeField* time : {&from, &until}) {
            if (time->time_shaped) context.fail("102", time->path, time->fault);
            remark_fault(context, *time);
        }
        if (!from.stamp) continue;
        SiuWindow window{range_path(i, 1), {false, from.stamp->iso()}, {}};
        if (until.stamp) {
            const std::int64_t seconds = seconds_between(*from.stamp, *until.stamp);
            if (seconds < 0) {
                context.warn("WINDOW_REVERSED", until.path,
                             until.path + " lies before " + from.path + "; the range was read without an end.");
            } else if (seconds > 0 || !from.stamp->has_time()) {
                window.until.value = until.stamp->iso();
            }
        }
        if (window.until.absent()) moment = arq.component(kRange, 1, i);
        request.windows.push_back(std::move(window));
    }
    const bool single = request.windows.size() == 1 && request.windows.front().until.absent();
    return single ? moment : std::string_view{};
}

std::vector<SiuCriterion> read_criteria(const SegmentFields& apr, std::size_t field) {
    std::vector<SiuCriterion> criteria;
    for (std::size_t i = 1; i <= apr.repetitions(field) && criteria.size() < kMaxCriteria; ++i) {
        SiuCriterion criterion{apr.text(field, 1, i), apr.text(field, 2, i)};
        if (criterion.name.has_value() || criterion.value.has_value()) criteria.push_back(std::move(criterion));
    }
    return criteria;
}

// The SCH of the appointment that is asked for, raw, in the delimiters of the message.
std::string schedule_text(const SegmentFields& arq, std::string_view start) {
    const Delimiters& delimiters = arq.delimiters();
    std::array<std::string, kLastScheduleField + 1> fields;
    fields[0] = "SCH";
    for (std::size_t i = 1; i < kInSchedule.size(); ++i) {
        if (kInSchedule[i] != 0) fields[kInSchedule[i]] = arq.field(i);
    }
    if (delimiters.component != '\0') {
        const char c = delimiters.component;
        fields[kRange] = std::string(3, c) + std::string(start) + std::string(2, c);
        fields[kRange] += arq.component(kPriority, 1);
    }
    std::string text;
    for (const std::string& field : fields) {
        if (&field != fields.data()) text.push_back(delimiters.field);
        text += field;
    }
    return text;
}

// "SCH-26" is ARQ-24 to whoever sent the request.
std::string in_request(const std::string& text) {
    std::string result;
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t found = text.find("SCH", at);
        if (found == std::string::npos) break;
        result.append(text, at, found - at);
        result += "ARQ";
        at = found + 3;
        if (at + 1 >= text.size() || text[at] != '-' || !is_digit(text[at + 1])) continue;
        std::size_t end = at + 1;
        std::size_t number = 0;
        while (end < text.size() && is_digit(text[end]) && number <= kLastScheduleField)
            number = number * 10 + static_cast<std::size_t>(text[end++] - '0');
        for (std::size_t i = 1; i < kInSchedule.size(); ++i) {
            if (kInSchedule[i] == number) {
                result += "-" + std::to_string(i);
                at = end;
                break;
            }
        }
    }
    return result.append(text, at);
}

} // namespace

void read_request(Context& context, const Message& message, SegmentPlan& plan, SiuReading& reading) {
    const SegmentFields arq = plan.request;
    const std::size_t first = reading.warnings.size();
    if (!arq.exists()) {
        context.fail("101", "ARQ", "The request has no ARQ segment; send one with the appointment's number in ARQ-1.");
    } else if (!arq.text(1).has_value() && !arq.text(2).has_value()) {
        context.fail("101", "ARQ-1",
                     "The request does not say which appointment is meant: ARQ-1 and ARQ-2 are empty; "
                     "send the placer's appointment id in ARQ-1.");
    }
    SiuRequest& request = reading.request.emplace();
    const std::string_view start = read_windows(context, arq, request);
    request.times = read_criteria(plan.preferences, 1);
    request.resources = read_criteria(plan.preferences, 2);
    request.locations = read_criteria(plan.preferences, 3);
    request.overrides = read_criteria(plan.preferences, 5);
    const std::string spacing = plan.preferences.text(4).value;
    if (all_digits(spacing) && spacing.size() <= 4) request.spacing_minutes = digits_value(spacing);

    const std::string text = schedule_text(arq, start);
    plan.sch = SegmentFields(text, arq.exists() ? arq.delimiters() : message.delimiters());
    const ScheduleLayout layout = find_schedule_layout(context, plan.sch);
    reading.schedule = read_schedule(context, message, plan, layout);
    std::vector<TimedPart> parts = read_parts(context, plan, reading);
    read_timing(context, plan, layout, parts, reading);
    add_visit_location(context, plan, reading);
    sort_services(reading.services);
    plan.sch = {};

    for (std::size_t i = first; i < reading.warnings.size(); ++i) {
        reading.warnings[i].path = in_request(reading.warnings[i].path);
        reading.warnings[i].text = in_request(reading.warnings[i].text);
    }
    if (reading.error) {
        reading.error->path = in_request(reading.error->path);
        reading.error->text = in_request(reading.error->text);
    }
}

} // namespace radscheduler::siu
