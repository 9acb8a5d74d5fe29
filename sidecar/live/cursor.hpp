// Where somebody is in the log of events: (transaction, sequence), comparable within one epoch. No I/O.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace radscheduler::sidecar::live {

struct Cursor {
    std::uint64_t xid = 0;
    std::uint64_t seq = 0;

    auto operator<=>(const Cursor&) const = default;
};

std::string to_text(Cursor cursor);

// "<xid>-<seq>"; nothing for any other text.
std::optional<Cursor> read_cursor(std::string_view text);

// A cursor and what it is comparable within; an empty epoch was not told.
struct Place {
    std::string epoch;
    Cursor cursor;
};

// "<xid>-<seq>" or "<epoch>:<xid>-<seq>".
std::optional<Place> read_place(std::string_view text);
std::string to_text(const Place& place);

} // namespace radscheduler::sidecar::live
