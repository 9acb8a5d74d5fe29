#include "tools/load_plan.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>

#include <spdlog/fmt/fmt.h>

namespace radscheduler::sidecar::tools {
namespace {

constexpr std::size_t most_open = 256; // an older booking is left as it is
constexpr unsigned largest_weight = 1'000'000;

} // namespace

std::string_view name_of(LoadEvent event) {
    switch (event) {
    case LoadEvent::book:
        return "S12";
    case LoadEvent::reschedule:
        return "S13";
    case LoadEvent::modify:
        return "S14";
    case LoadEvent::cancel:
        return "S15";
    case LoadEvent::no_show:
        return "S26";
    case LoadEvent::repeat:
        return "repeat";
    }
    return "";
}

std::variant<LoadMix, std::string> parse_mix(std::string_view text) {
    LoadMix mix{{}};
    while (!text.empty()) {
        const auto part = text.substr(0, text.find(','));
        text.remove_prefix(std::min(part.size() + 1, text.size()));
        const auto equals = part.find('=');
        const auto name = part.substr(0, equals);
        const auto found = std::find_if(load_events.begin(), load_events.end(),
                                        [name](LoadEvent event) { return name_of(event) == name; });
        if (found == load_events.end()) {
            return fmt::format("'{}' is no event of a mix. There are S12, S13, S14, S15, S26 and repeat.", name);
        }
        const auto number = equals == std::string_view::npos ? std::string_view("1") : part.substr(equals + 1);
        unsigned weight = 0;
        const auto [end, problem] = std::from_chars(number.data(), number.data() + number.size(), weight);
        if (problem != std::errc() || end != number.data() + number.size() || weight > largest_weight) {
            return fmt::format("'{}' is no share. Write a whole number from 0 to {}, as in {}=20.", number,
                               largest_weight, name);
        }
        mix.weights[static_cast<std::size_t>(found - load_events.begin())] = weight;
    }
    if (mix.weights[0] == 0) {
        return "a mix needs new bookings: S12 must have a share above 0.";
    }
    return mix;
}

LoadEvent LoadPlan::draw() {
    const auto total = std::accumulate(mix_.weights.begin(), mix_.weights.end(), std::uint64_t{0});
    auto place = random_() % total;
    std::size_t event = 0;
    while (place >= mix_.weights[event]) {
        place -= mix_.weights[event++];
    }
    const auto drawn = load_events[event];
    const bool possible = drawn == LoadEvent::book || (drawn == LoadEvent::repeat ? last_.has_value() : !open_.empty());
    return possible ? drawn : LoadEvent::book;
}

LoadStep LoadPlan::next(LoadNumbers& numbers, std::int64_t now) {
    const auto event = draw();
    if (event == LoadEvent::repeat) {
        auto again = *last_;
        again.repeated = true;
        return again;
    }
    numbers.stamp = std::max(numbers.stamp + 1, now);
    LoadStep step{event, numbers.message++, 0, 0, numbers.stamp, false};
    if (event == LoadEvent::book) {
        step.appointment = step.number;
        step.slot = numbers.slot++;
        open_.push_back({step.appointment, step.slot});
        if (open_.size() > most_open) {
            open_.pop_front();
        }
    } else {
        const auto place = static_cast<std::ptrdiff_t>(random_() % open_.size());
        auto& open = open_[static_cast<std::size_t>(place)];
        if (event == LoadEvent::reschedule) {
            open.slot = numbers.slot++;
        }
        step.appointment = open.appointment;
        step.slot = open.slot;
        if (event == LoadEvent::cancel || event == LoadEvent::no_show) {
            open_.erase(open_.begin() + place);
        }
    }
    last_ = step;
    return step;
}

} // namespace radscheduler::sidecar::tools
