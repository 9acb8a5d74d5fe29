// Purpose: how the core says that something went wrong. Bad input is an expected event, so it is a value and
// never an exception; exceptions are left to std::bad_alloc and bugs.
//
// Invariants: a Result holds either a value or an Error. Error::text is a sentence for a person (what is wrong,
// where, what to do next) and never holds patient data. Error::offset counts bytes from the start of the input
// that the failing function was given.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace radscheduler {

enum class ErrorCode {
    empty_input,    // nothing but blanks
    nul_byte,       // the text holds a NUL, which neither HL7 nor PostgreSQL text allows
    no_header,      // the first segment is not MSH (nor FHS, BHS)
    bad_delimiters, // MSH-1 or MSH-2 cannot serve as delimiters
    bad_path,       // the text is not SEG[n]-F[r].C.S
    bad_timestamp,  // not an HL7 date or time
    bad_json,       // the JSON does not describe a message
    bad_edit,       // the change cannot be made
    bad_fragment,   // the fragments of a continued message do not fit together
};

struct Error {
    ErrorCode code{};
    std::size_t offset = 0;
    std::string path; // HL7 place ("MSH-2") or the path text at fault; may be empty
    std::string text; // sentence
};

// A remark on a message that is accepted all the same. Codes are stable words in capitals (REPAIR_AIP4_TO_AIP6).
struct Warning {
    std::string code;
    std::string path;
    std::string text;
};

// Stable word for logs and tests: "bad_path" for ErrorCode::bad_path.
std::string_view error_name(ErrorCode code);

template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}

    bool ok() const { return held_.index() == 0; }
    explicit operator bool() const { return ok(); }

    // Precondition: ok().
    T& value() & { return *std::get_if<0>(&held_); }
    const T& value() const& { return *std::get_if<0>(&held_); }
    T&& value() && { return std::move(*std::get_if<0>(&held_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T* operator->() { return std::get_if<0>(&held_); }
    const T* operator->() const { return std::get_if<0>(&held_); }

    // Precondition: !ok().
    const Error& error() const { return *std::get_if<1>(&held_); }

private:
    std::variant<T, Error> held_;
};

} // namespace radscheduler
