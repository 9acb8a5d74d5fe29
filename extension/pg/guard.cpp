// Catching, copying, raising: see guard.hpp.
#include "guard.hpp"

#include <cstring>
#include <exception>
#include <new>

#include "radscheduler/charset.hpp"

namespace radscheduler::pg {

namespace {

template <std::size_t N>
void copy_text(char (&target)[N], std::string_view text) {
    const std::string_view fitting = utf8_prefix(text, N - 1);
    std::memcpy(target, fitting.data(), fitting.size());
    target[fitting.size()] = '\0';
}

// Where the caller collects errors softly (PostgreSQL 16 and later), the error is left with it. A defect or exhausted
// memory says nothing about the input and is always raised: errsave() raises where there is no context.
void raise(fmNodePtr soft_errors, const Failure& failure) {
#if PG_VERSION_NUM >= 160000
    errsave(soft_errors, (errcode(failure.sqlstate), errmsg("%s", failure.message),
                          failure.detail[0] != '\0' ? errdetail("%s", failure.detail) : 0,
                          failure.hint[0] != '\0' ? errhint("%s", failure.hint) : 0));
#else
    (void)soft_errors;
    ereport(ERROR, (errcode(failure.sqlstate), errmsg("%s", failure.message),
                    failure.detail[0] != '\0' ? errdetail("%s", failure.detail) : 0,
                    failure.hint[0] != '\0' ? errhint("%s", failure.hint) : 0));
#endif
}

} // namespace

bool Failure::set(int code, std::string_view what, std::string_view more, std::string_view next) {
    sqlstate = code;
    copy_text(message, what);
    copy_text(detail, more);
    copy_text(hint, next);
    return false;
}

Datum guarded(FunctionCallInfo fcinfo, Body body) {
    Failure failure;
    Datum result = 0;
    bool ok = false;
    bool is_defect = true;
    try {
        ok = body(fcinfo, &result, &failure);
        is_defect = false;
    } catch (const std::bad_alloc&) {
        failure.set(ERRCODE_OUT_OF_MEMORY, "out of memory while working on an HL7 message");
    } catch (const std::exception& error) {
        failure.set(ERRCODE_INTERNAL_ERROR, "defect in radscheduler", error.what(),
                    "Please report it with the statement that showed it.");
    } catch (...) {
        failure.set(ERRCODE_INTERNAL_ERROR, "defect in radscheduler: an exception of unknown type");
    }
    if (!ok) {
        raise(is_defect ? nullptr : fcinfo->context, failure);
        fcinfo->isnull = true;
        return 0;
    }
    return result;
}

void* allocate(std::size_t size, MemoryContext context) {
    void* memory = MemoryContextAllocExtended(context, size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

char* copy_out(std::string_view text, std::size_t head) {
    auto* copy = static_cast<char*>(allocate(head + text.size() + 1));
    std::memcpy(copy + head, text.data(), text.size());
    copy[head + text.size()] = '\0';
    return copy;
}

struct varlena* varlena_of(std::string_view text) {
    if (text.size() > MaxAllocSize - VARHDRSZ - 1) throw std::bad_alloc();
    auto* value = reinterpret_cast<struct varlena*>(copy_out(text, VARHDRSZ));
    SET_VARSIZE(value, VARHDRSZ + text.size());
    return value;
}

} // namespace radscheduler::pg
