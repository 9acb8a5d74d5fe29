// What each connection of a load run sends next: new bookings, and events of the bookings it made before.
//
// Invariants: every event but a new booking belongs to a booking that the same connection announced earlier, so the
// order of one connection is the order of each of its appointments. The choices follow from the seed alone.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <variant>

namespace radscheduler::sidecar::tools {

enum class LoadEvent { book, reschedule, modify, cancel, no_show, repeat };
inline constexpr std::array<LoadEvent, 6> load_events{LoadEvent::book,   LoadEvent::reschedule, LoadEvent::modify,
                                                      LoadEvent::cancel, LoadEvent::no_show,    LoadEvent::repeat};

// "S12", "S13" …; a repeat is the last message once more, byte for byte, as after a lost answer.
std::string_view name_of(LoadEvent event);

struct LoadMix {
    std::array<unsigned, load_events.size()> weights{1}; // in the order of load_events
};

// "S12=70,S13=20,S15=5,repeat=5", or a sentence that says what is wrong with it.
std::variant<LoadMix, std::string> parse_mix(std::string_view text);

// One message. The same step always makes the same bytes.
struct LoadStep {
    LoadEvent event = LoadEvent::book;
    std::uint64_t number = 0;      // of the message, over all connections
    std::uint64_t appointment = 0; // the number of the message that booked it
    std::uint64_t slot = 0;        // where it stands in the schedule
    std::int64_t stamp = 0;        // when it was written, in units of 100 µs since 1970
    bool repeated = false;         // sent before
};

// What all connections of a run share.
struct LoadNumbers {
    std::uint64_t message = 0;
    std::uint64_t slot = 0;
    std::int64_t stamp = 0;
};

class LoadPlan {
public:
    LoadPlan(LoadMix mix, std::uint64_t seed) : mix_(mix), random_(seed) {}

    // An event that needs a booking is a new booking while there is none. Stamps of one run never repeat.
    LoadStep next(LoadNumbers& numbers, std::int64_t now);

private:
    struct Open {
        std::uint64_t appointment;
        std::uint64_t slot;
    };

    LoadEvent draw();

    LoadMix mix_;
    std::mt19937_64 random_;
    std::deque<Open> open_;
    std::optional<LoadStep> last_;
};

} // namespace radscheduler::sidecar::tools
