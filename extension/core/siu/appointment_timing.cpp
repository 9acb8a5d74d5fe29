// Duration, end, and the times of the parts.
#include "appointment_timing.hpp"

#include "../ascii.hpp"
#include "duration.hpp"
#include "start_time.hpp"
#include "words.hpp"

#include <algorithm>
#include <cstdlib>

namespace radscheduler::siu {

namespace {

constexpr std::int64_t kDaySeconds = 86400;
constexpr std::int64_t kSameMinute = 60;
constexpr int kMaxBlockMinutes = 366 * 1440; // a block (S23, S24) may last weeks
constexpr std::size_t kTqDuration = 3;

// Service or resource start as seconds from the appointment's start; nullopt when it follows the appointment.
std::optional<std::int64_t> seconds_from(const Timestamp& start, const PartTiming& timing) {
    if (timing.start.stamp && timing.start.stamp->has_time()) return seconds_between(start, *timing.start.stamp);
    if (timing.offset_minutes) return std::int64_t{*timing.offset_minutes} * 60;
    return std::nullopt;
}

class Timing {
public:
    Timing(Context& context, const SegmentPlan& plan, const ScheduleLayout& layout, std::vector<TimedPart>& parts,
           SiuReading& reading)
        : context_(context), plan_(plan), layout_(layout), parts_(parts), reading_(reading) {
        const std::string& event = reading.header.trigger_event;
        longest_minutes_ = event == "S23" || event == "S24" ? kMaxBlockMinutes : kMaxPartMinutes;
    }

    void read() {
        times_ = read_schedule_times(context_, plan_, layout_);
        const ChosenStart chosen = choose_start(context_, times_, layout_, parts_);
        start_ = chosen.stamp;
        place_ = chosen.place;
        for (TimedPart& part : parts_)
            take_offset_for_duration(part);
        schedule_duration_ = duration_in_schedule();
        drop_midnight_placeholder();

        SiuSchedule& schedule = *reading_.schedule;
        schedule.duration_minutes = duration_minutes();
        if (start_) {
            schedule.starts_at.value = start_->iso();
            if (end_) {
                schedule.ends_at.value = end_->iso();
                schedule.end_sent = true;
            } else if (schedule.duration_minutes && start_->has_time()) {
                schedule.ends_at.value = start_->plus_minutes(*schedule.duration_minutes).iso();
            }
        }
        place_parts();
    }

private:
    // An exam with its own start needs no offset. One that contradicts it, where no duration was sent, is the duration
    // two fields early.
    void take_offset_for_duration(TimedPart& part) {
        PartTiming& timing = part.timing;
        if (part.name != "AIS" || timing.repaired || timing.duration_minutes || !start_ || !start_->has_time()) return;
        if (timing.offset_minutes.value_or(0) <= 0 || *timing.offset_minutes > kMaxPartMinutes) return;
        if (!timing.start.stamp || !timing.start.stamp->has_time()) return;
        if (seconds_between(*start_, *timing.start.stamp) == std::int64_t{*timing.offset_minutes} * 60) return;
        SiuService& service = reading_.services[part.first];
        if (context_.repair("REPAIR_AIS5_TO_AIS7", service.path + "-5",
                            service.path +
                                "-5 (offset) contradicts the start in AIS-4, and AIS-7 (duration) holds none",
                            "it was read as the duration.")) {
            timing.duration_minutes = timing.offset_minutes;
            service.duration_minutes = timing.duration_minutes;
        }
        timing.offset_minutes.reset();
        service.offset_minutes.reset();
    }

    // SCH-9 with its unit in SCH-10; "120^MIN" in either of them is understood.
    std::optional<Duration> duration_in_schedule() {
        const SegmentFields& sch = plan_.sch;
        const std::size_t field = layout_.duration;
        const std::string name = "SCH-" + std::to_string(field);
        const std::string text = sch.text(field).value;
        const std::string inner_unit = sch.text(field, 2).value;
        if (!text.empty()) {
            if (unit_seconds(inner_unit) == 0) return sent_duration(text, unit_word(sch, 10), name);
            if (field == 9 && !context_.repair("REPAIR_SCH9_UNIT", name, "SCH-9 holds the number and its unit",
                                               "the unit was taken from SCH-9.2 rather than SCH-10.")) {
                return std::nullopt;
            }
            return sent_duration(text, inner_unit, name);
        }
        const std::string number = sch.text(10).value;
        if (!layout_.uses(10) && all_digits(number) && unit_seconds(sch.text(10, 2).value) != 0 &&
            context_.repair("REPAIR_SCH10_TO_SCH9", "SCH-10",
                            "SCH-10 holds a number with a unit of time, and SCH-9 "
                            "(duration) holds none",
                            "it was read as the duration.")) {
            return sent_duration(number, sch.text(10, 2).value, "SCH-10");
        }
        return std::nullopt;
    }

    // What was sent must be a number; what it is worth is decided by accept().
    std::optional<Duration> sent_duration(const std::string& text, std::string_view unit, const std::string& path) {
        std::optional<Duration> duration = read_duration(text, unit);
        if (!duration && !text.empty()) {
            context_.repair("BAD_DURATION", path, path + " is not a usable duration", "it was left out.");
        }
        return checked(duration, path);
    }

    std::optional<Duration> checked(std::optional<Duration> duration, const std::string& path) {
        if (duration && duration->unit_assumed) {
            context_.warn("DURATION_UNIT_ASSUMED", path, path + " has no unit that is known; minutes were assumed.");
        }
        return duration;
    }

    // Midnight with an explicit duration of zero is how some systems write "that day, no time yet".
    void drop_midnight_placeholder() {
        if (!start_ || !start_->has_time() || start_->hour != 0 || start_->minute != 0 || start_->second != 0) return;
        if (!schedule_duration_ || schedule_duration_->seconds != 0) return;
        start_->precision = Timestamp::Precision::day;
        context_.warn("DATE_ONLY_START", "SCH-9",
                      "The start is midnight with a duration of zero; it was read as a date without a time.");
    }

    std::optional<int> accept(std::optional<Duration> duration, const std::string& path) {
        if (!duration || duration->seconds <= 0) return std::nullopt;
        if (duration->seconds > std::int64_t{longest_minutes_} * 60) {
            context_.warn("DURATION_IMPLAUSIBLE", path,
                          path + " gives more than " + std::to_string(longest_minutes_) +
                              " minutes; it was passed over.");
            return std::nullopt;
        }
        return duration->minutes();
    }

    // An end that belongs to the chosen start: its own start is missing or the same.
    std::optional<int> accept_end(const TimeField& own_start, const TimeField& end) {
        remark_fault(context_, end);
        if (!end.stamp || !end.stamp->has_time() || !start_ || !start_->has_time()) return std::nullopt;
        if (own_start.stamp && std::llabs(seconds_between(*own_start.stamp, *start_)) > kSameMinute)
            return std::nullopt;
        const std::int64_t seconds = seconds_between(*start_, *end.stamp);
        if (seconds <= 0) {
            context_.warn("END_NOT_AFTER_START", end.path, end.path + " is not after the start; it was passed over.");
            return std::nullopt;
        }
        const std::optional<int> minutes = accept(Duration{seconds, false}, end.path);
        if (minutes) end_ = end.stamp;
        return minutes;
    }

    std::optional<int> duration_minutes() {
        std::optional<int> minutes = by_end();
        const std::optional<int> scheduled = accept(schedule_duration_, "SCH-9");
        if (minutes) {
            if (scheduled && *scheduled != *minutes) {
                context_.warn("DURATION_DISAGREE", "SCH-9",
                              "SCH-9 says " + std::to_string(*scheduled) + " minutes, but start and end are " +
                                  std::to_string(*minutes) + " minutes apart; start and end were used.");
            }
            return minutes;
        }
        if (scheduled) return scheduled;
        if (times_.timing != nullptr) {
            const std::string path = times_.timing_name + "-6";
            minutes = accept(sent_duration(times_.timing->text(6).value, unit_of_quantity(), path), path);
            if (minutes) return minutes;
        }
        minutes = by_timing_quantity();
        if (!minutes) minutes = by_services();
        return minutes ? minutes : longest_part();
    }

    std::optional<int> by_end() {
        if (place_ == StartPlace::timing_segment) {
            const std::optional<int> minutes = accept_end(times_.timing_start, times_.timing_end);
            return minutes ? minutes : accept_end(times_.schedule_start, times_.schedule_end);
        }
        const std::optional<int> minutes = accept_end(times_.schedule_start, times_.schedule_end);
        return minutes ? minutes : accept_end(times_.timing_start, times_.timing_end);
    }

    // CQ.2 is a coded element: its code or its text names the unit.
    std::string unit_of_quantity() const {
        std::string code = times_.timing->subtext(6, 2, 1).value;
        if (unit_seconds(code) != 0) return code;
        std::string text = times_.timing->subtext(6, 2, 2).value;
        return unit_seconds(text) != 0 ? text : code;
    }

    // TQ.3: M30, H1, or a bare number in the unit of SCH-10; some senders put the unit word into TQ.2.
    std::optional<int> by_timing_quantity() {
        const SegmentFields& sch = plan_.sch;
        const std::string text = sch.text(layout_.timing, kTqDuration, layout_.repetition).value;
        std::string unit = unit_word(sch, 10);
        const std::string interval = sch.text(layout_.timing, 2, layout_.repetition).value;
        if (unit_seconds(unit) == 0 && unit_seconds(interval) != 0) unit = interval;
        const std::string path = "SCH-" + std::to_string(layout_.timing) + ".3";
        return accept(checked(read_duration(text, unit), path), path); // INDEF and the like may stand here
    }

    // From the appointment's start to the last end of a service; services that give no times follow one another.
    std::optional<int> by_services() {
        std::int64_t sum = 0;
        std::int64_t last_end = 0;
        bool timed = false;
        for (const TimedPart& part : parts_) {
            if (part.name != "AIS" || part.removed || !part.timing.duration_minutes) continue;
            const std::int64_t seconds = std::int64_t{*part.timing.duration_minutes} * 60;
            const std::optional<std::int64_t> begin =
                start_ && start_->has_time() ? seconds_from(*start_, part.timing) : std::nullopt;
            timed = timed || begin.has_value();
            sum += seconds;
            last_end = std::max(last_end, begin.value_or(0) + seconds);
        }
        return accept(Duration{timed ? last_end : sum, false}, "AIS");
    }

    std::optional<int> longest_part() const {
        std::optional<int> longest;
        for (const TimedPart& part : parts_) {
            if (part.removed || !part.timing.duration_minutes) continue;
            longest = std::max(longest.value_or(0), *part.timing.duration_minutes);
        }
        return longest;
    }

    // A resource a day or more away from the appointment and from every service of its group is a leftover of an
    // earlier date, not a booking.
    bool trusted(const TimedPart& part, std::int64_t begin) const {
        if (part.name == "AIS") return true;
        const std::int64_t length = std::int64_t{reading_.schedule->duration_minutes.value_or(0)} * 60;
        const auto near = [&](std::int64_t base) {
            return begin >= base - kDaySeconds && begin <= base + length + kDaySeconds;
        };
        if (near(0)) return true;
        for (const TimedPart& other : parts_) {
            if (other.name != "AIS" || other.group != part.group) continue;
            const std::optional<std::int64_t> base = seconds_from(*start_, other.timing);
            if (base && near(*base)) return true;
        }
        return false;
    }

    std::optional<Timestamp> start_of(const TimedPart& part) {
        const std::optional<Timestamp>& own = part.timing.start.stamp;
        const bool explicit_time = own && own->has_time();
        if (!start_ || !start_->has_time()) return explicit_time ? own : std::nullopt;
        const std::optional<std::int64_t> begin = seconds_from(*start_, part.timing);
        if (!begin) return std::nullopt;
        if (!trusted(part, *begin)) {
            for (std::size_t i = part.first; i < part.first + part.count; ++i)
                reading_.resources[i].offset_minutes.reset();
            context_.warn("RESOURCE_TIME_DISTRUSTED", part.timing.start.path,
                          part.timing.start.path + " lies more than a day away from the appointment; the resource was "
                                                   "placed at the appointment's time.");
            return std::nullopt;
        }
        return explicit_time ? own : start_->plus_minutes(*part.timing.offset_minutes);
    }

    // Exams that give durations but no times follow one another, as long as the appointment has room for them all.
    void queue_services() {
        if (!start_ || !start_->has_time()) return;
        std::vector<const TimedPart*> queue;
        std::int64_t sum = 0;
        for (const TimedPart& part : parts_) {
            if (part.name != "AIS" || part.removed) continue;
            if (!part.timing.duration_minutes || part.timing.start.stamp || part.timing.offset_minutes) return;
            queue.push_back(&part);
            sum += *part.timing.duration_minutes;
        }
        if (queue.size() < 2 || sum > reading_.schedule->duration_minutes.value_or(0)) return;
        std::int64_t minutes = 0;
        for (const TimedPart* const part : queue) {
            reading_.services[part->first].starts_at.value = start_->plus_minutes(minutes).iso();
            minutes += *part->timing.duration_minutes;
        }
    }

    void place_parts() {
        queue_services();
        for (const TimedPart& part : parts_) {
            const std::optional<Timestamp> start = start_of(part);
            if (!start) continue;
            for (std::size_t i = part.first; i < part.first + part.count; ++i) {
                Text& slot = part.name == "AIS" ? reading_.services[i].starts_at : reading_.resources[i].starts_at;
                slot.value = start->iso();
            }
        }
    }

    Context& context_;
    const SegmentPlan& plan_;
    const ScheduleLayout& layout_;
    std::vector<TimedPart>& parts_;
    SiuReading& reading_;
    int longest_minutes_;
    ScheduleTimes times_;
    std::optional<Timestamp> start_, end_;
    StartPlace place_ = StartPlace::none;
    std::optional<Duration> schedule_duration_;
};

} // namespace

void read_timing(Context& context, const SegmentPlan& plan, const ScheduleLayout& layout, std::vector<TimedPart>& parts,
                 SiuReading& reading) {
    Timing(context, plan, layout, parts, reading).read();
}

} // namespace radscheduler::siu
