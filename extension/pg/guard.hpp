// The only door between PostgreSQL and C++. Two rules make it safe:
//  - no C++ exception leaves an entry point: guarded() catches everything, leaves the catch block, and only then
//  raises;
//  - no C++ object with a destructor is alive when PostgreSQL may longjmp: a body fetches its arguments first, works in
//  a block of its
//    own, copies the outcome into memory of PostgreSQL's with copy_out() (which never longjmps), and returns after that
//    block.
// Failures are values: a body fills in a Failure and returns false.
#pragma once

#include <cstddef>
#include <string_view>

#include "postgres_api.hpp"

namespace radscheduler::pg {

struct Failure {
    int sqlstate = 0;
    char message[512] = {};
    char detail[512] = {};
    char hint[256] = {};

    // Copies the texts, cut at a character's end. Returns false, so that a body can end with it.
    bool set(int code, std::string_view what, std::string_view more = {}, std::string_view next = {});
};

using Body = bool (*)(FunctionCallInfo fcinfo, Datum* result, Failure* failure);

Datum guarded(FunctionCallInfo fcinfo, Body body);

// Memory of a context. Throws std::bad_alloc where palloc would longjmp.
void* allocate(std::size_t size, MemoryContext context = CurrentMemoryContext);

// A copy of text in the current memory context with room for `head` bytes before it and a NUL after it. Throws
// std::bad_alloc where palloc would longjmp.
char* copy_out(std::string_view text, std::size_t head = 0);

inline std::string_view view_of(const struct varlena* value) {
    return {VARDATA_ANY(value), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(value))};
}

// A varlena (text, bytea) of the text.
struct varlena* varlena_of(std::string_view text);

} // namespace radscheduler::pg

// Declares, exports and guards an SQL-callable function; the body that follows has fcinfo, result and failure.
#define RAD_FUNCTION(name)                                                                                             \
    extern "C" {                                                                                                       \
    PGDLLEXPORT Datum name(PG_FUNCTION_ARGS);                                                                          \
    PG_FUNCTION_INFO_V1(name);                                                                                         \
    }                                                                                                                  \
    static bool name##_body(FunctionCallInfo fcinfo, Datum* result, ::radscheduler::pg::Failure* failure);             \
    extern "C" Datum name(PG_FUNCTION_ARGS) {                                                                          \
        return ::radscheduler::pg::guarded(fcinfo, name##_body);                                                       \
    }                                                                                                                  \
    static bool name##_body([[maybe_unused]] FunctionCallInfo fcinfo, Datum* result,                                   \
                            [[maybe_unused]] ::radscheduler::pg::Failure* failure)
