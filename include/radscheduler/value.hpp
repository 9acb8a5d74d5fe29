// Purpose: reading one place of a message. Four states, because an update message means different things by them:
//   absent  not sent (segment, field, repetition or component does not exist)
//   empty   sent as nothing: "no change"
//   null    sent as "" (two double quotes): "delete the value"
//   value   anything else
//
// Rules: without an index the first segment, first repetition, first component and first subcomponent are meant; a
// path that asks deeper than the data goes gets the leaf (PID-3.1.1 of `Field1` is Field1) as long as it asks for the
// first; MSH-1 is the separator itself and MSH-2 is never split. Value::raw points into the message and is undecoded:
// pass it to decode() exactly once. Source: HL7 v2.5 chapters 2.5.3, 2.6, 2.10.
#pragma once

#include "radscheduler/message.hpp"
#include "radscheduler/path.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace radscheduler {

enum class State { absent, empty, null, value };

// "absent", "empty", "null", "value"
std::string_view state_name(State state);

struct Value {
    State state = State::absent;
    std::string_view raw;
};

// The value at a path; `*` stands for the first.
Value get(const Message& message, const Path& path);

// Exactly the extent that the path names, without descending to the first part: PID-3 is the whole field with all its
// repetitions, PID-3[2] one repetition with its components, PID-3.4 a component with its subcomponents. A path of
// Path::parse_extent() may name a whole segment.
Value get_raw(const Message& message, const Path& path);

// Every value of a path with `*`. SEG[*]: one entry per occurrence, absent ones included, so that several such lists
// stay aligned. F[*]: one entry per repetition sent, none when the field is absent or empty. Both: repetitions of all
// occurrences in order. GROUP[*]: one entry per group, as for SEG[*]. Without `*`: one entry, or none when absent.
std::vector<Value> get_all(const Message& message, const Path& path);

// Every extent that a path with `*` names, those that were sent: segments (path.field == 0), fields, repetitions, ….
std::vector<Value> get_all_raw(const Message& message, const Path& path);

// Many paths in one scan over the segments. Precondition: values.size() == paths.size().
void get_many(const Message& message, std::span<const Path> paths, std::span<Value> values);

// get() and decode() in one; nullopt unless the state is value.
std::optional<std::string> get_text(const Message& message, const Path& path);

// State of a text that was cut out of a message.
State state_of(std::string_view raw);

} // namespace radscheduler
