// Comparing, parsing and keeping paths.
#include "path_cache.hpp"

#include <cstring>
#include <new>
#include <string>
#include <type_traits>

#include "value_text.hpp"

namespace radscheduler::pg {

namespace {

static_assert(std::is_trivially_destructible_v<Path>, "paths are kept in memory of PostgreSQL's");

// What fn_extra holds: the argument that was parsed, byte by byte, and the paths it gave.
struct PathCache {
    std::size_t size;
    int count;
    char* bytes;
    Path* paths;
};

MemoryContext lifetime(FunctionCallInfo fcinfo) {
    return fcinfo->flinfo != nullptr ? fcinfo->flinfo->fn_mcxt : CurrentMemoryContext;
}

PathCache* cache_of(FunctionCallInfo fcinfo) {
    return fcinfo->flinfo != nullptr ? static_cast<PathCache*>(fcinfo->flinfo->fn_extra) : nullptr;
}

bool is_same(const PathCache* cache, std::string_view argument) {
    return cache != nullptr && cache->size == argument.size() &&
           std::memcmp(cache->bytes, argument.data(), argument.size()) == 0;
}

PathCache* new_cache(FunctionCallInfo fcinfo, std::string_view argument, int count) {
    const MemoryContext context = lifetime(fcinfo);
    if (PathCache* old = cache_of(fcinfo); old != nullptr) {
        fcinfo->flinfo->fn_extra = nullptr;
        pfree(old->bytes);
        pfree(old->paths);
        pfree(old);
    }
    auto* cache = static_cast<PathCache*>(allocate(sizeof(PathCache), context));
    cache->size = argument.size();
    cache->count = count;
    cache->bytes = static_cast<char*>(allocate(argument.size() + 1, context));
    std::memcpy(cache->bytes, argument.data(), argument.size());
    cache->paths = static_cast<Path*>(allocate(sizeof(Path) * (count + 1), context));
    return cache;
}

void keep(FunctionCallInfo fcinfo, PathCache* cache) {
    if (fcinfo->flinfo != nullptr) fcinfo->flinfo->fn_extra = cache;
}

} // namespace

bool read_path(std::string_view text, PathUse use, const char* function, Path* path, Failure* failure) {
    const bool extent = use == PathUse::one_extent || use == PathUse::many_extents;
    const Result<Path> parsed = extent ? Path::parse_extent(text) : Path::parse(text);
    if (!parsed) return bad_path(parsed.error(), text, failure);
    const bool one = use == PathUse::one_value || use == PathUse::one_extent;
    if (one && parsed->selects_many()) {
        return failure->set(ERRCODE_INVALID_PARAMETER_VALUE,
                            std::string(function) + " reads one value, and * in a path means all of them", {},
                            "Name one occurrence or repetition, for example PID-3[1], or use hl7_get_all().");
    }
    *path = *parsed;
    return true;
}

const Path* cached_path(FunctionCallInfo fcinfo, int argument, PathUse use, const char* function, Failure* failure) {
    const std::string_view text = view_of(PG_GETARG_VARLENA_PP(argument));
    if (const PathCache* cache = cache_of(fcinfo); is_same(cache, text)) return cache->paths;
    Path path;
    if (!read_path(text, use, function, &path, failure)) return nullptr;
    PathCache* cache = new_cache(fcinfo, text, 1);
    new (cache->paths) Path(path);
    keep(fcinfo, cache);
    return cache->paths;
}

std::span<const Path> cached_paths(FunctionCallInfo fcinfo, int argument, const char* function, Failure* failure) {
    const ArrayType* array = PG_GETARG_ARRAYTYPE_P(argument);
    const std::string_view bytes(reinterpret_cast<const char*>(array), VARSIZE(array));
    if (const PathCache* cache = cache_of(fcinfo); is_same(cache, bytes)) {
        return {cache->paths, static_cast<std::size_t>(cache->count)};
    }
    const SqlTexts wanted = texts_of(fcinfo, argument);
    PathCache* cache = new_cache(fcinfo, bytes, wanted.count);
    for (int i = 0; i < wanted.count; ++i) {
        if (wanted.is_null(i)) {
            failure->set(ERRCODE_NULL_VALUE_NOT_ALLOWED, "a path of " + std::string(function) + " is NULL");
            return {};
        }
        Path path;
        if (!read_path(wanted.at(i), PathUse::one_value, function, &path, failure)) return {};
        new (cache->paths + i) Path(path);
    }
    keep(fcinfo, cache);
    return {cache->paths, static_cast<std::size_t>(cache->count)};
}

} // namespace radscheduler::pg
