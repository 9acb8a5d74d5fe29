// A message, or a part of it, as jsonb, and a message from jsonb.
#include <string>
#include <type_traits>

#include "radscheduler/json_token.hpp"
#include "radscheduler/message_json.hpp"

#include "path_cache.hpp"
#include "stored_message.hpp"

namespace radscheduler::pg {

namespace {

static_assert(std::is_trivially_destructible_v<JsonToken>, "tokens are kept in memory of PostgreSQL's");

// JSON text in PostgreSQL's memory; nullptr for what a path names but was not sent.
char* extent_json(const Message& message, const Path& path) {
    JsonWriter writer;
    return write_extent_json(writer, message, path) ? copy_out(writer.take()) : nullptr;
}

// A growing list in PostgreSQL's memory. May longjmp, so that it has no destructor to run.
struct Tokens {
    JsonToken* items;
    std::size_t count;
    std::size_t room;

    void add(JsonToken::Kind kind, std::string_view text = {}) {
        if (count == room) {
            room = room == 0 ? 64 : room * 2;
            const std::size_t size = room * sizeof(JsonToken);
            items = static_cast<JsonToken*>(items == nullptr ? MemoryContextAllocHuge(CurrentMemoryContext, size)
                                                             : repalloc_huge(items, size));
        }
        items[count++] = {kind, text};
    }
};

void add_value(Tokens& tokens, const JsonbValue& value) {
    switch (value.type) {
    case jbvString:
        tokens.add(JsonToken::Kind::string, {value.val.string.val, static_cast<std::size_t>(value.val.string.len)});
        break;
    case jbvNumeric:
        tokens.add(JsonToken::Kind::number,
                   DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric))));
        break;
    case jbvBool:
        tokens.add(JsonToken::Kind::boolean);
        break;
    default:
        tokens.add(JsonToken::Kind::null);
        break;
    }
}

// May longjmp. Strings point into `json`.
Tokens tokens_of(Jsonb* json) {
    using Kind = JsonToken::Kind;
    Tokens tokens{};
    JsonbIterator* iterator = JsonbIteratorInit(&json->root);
    JsonbValue value;
    bool scalar = false;
    while (true) {
        const JsonbIteratorToken step = JsonbIteratorNext(&iterator, &value, false);
        switch (step) {
        case WJB_DONE:
            return tokens;
        case WJB_BEGIN_ARRAY:
            scalar = value.val.array.rawScalar; // a lone value is kept in an array of its own
            if (!scalar) tokens.add(Kind::begin_array);
            break;
        case WJB_END_ARRAY:
            if (!scalar) tokens.add(Kind::end_array);
            break;
        case WJB_BEGIN_OBJECT:
            tokens.add(Kind::begin_object);
            break;
        case WJB_END_OBJECT:
            tokens.add(Kind::end_object);
            break;
        case WJB_KEY:
            tokens.add(Kind::key, {value.val.string.val, static_cast<std::size_t>(value.val.string.len)});
            break;
        case WJB_ELEM:
        case WJB_VALUE:
            add_value(tokens, value);
            break;
        }
    }
}

bool message_of(const Tokens& tokens, Datum* result, Failure* failure) {
    const Result<std::string> text = message_from_json({tokens.items, tokens.count});
    if (text) return store_message(*text, result, failure);
    const Error& error = text.error();
    return failure->set(ERRCODE_INVALID_PARAMETER_VALUE, "the JSON does not describe an HL7 message: " + error.text,
                        error.path.empty() ? "" : "At " + error.path + ".",
                        "The form is that of hl7_to_jsonb(): [[\"MSH\", \"|\", \"^~\\\\&\", …], [\"PID\", …]].");
}

} // namespace

RAD_FUNCTION(rad_hl7_to_jsonb) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    char* json = copy_out(message_json(open_stored(value)));
    *result = DirectFunctionCall1(jsonb_in, CStringGetDatum(json));
    return true;
}

RAD_FUNCTION(rad_hl7_extent) {
    const Path* path = cached_path(fcinfo, 1, PathUse::many_extents, "->", failure);
    if (path == nullptr) return false;
    const Message message = open_stored(fetch_stored(fcinfo, 0, {path, 1}));
    char* json = extent_json(message, *path);
    fcinfo->isnull = json == nullptr;
    if (json != nullptr) *result = DirectFunctionCall1(jsonb_in, CStringGetDatum(json));
    return true;
}

RAD_FUNCTION(rad_hl7_from_jsonb) {
    Jsonb* json = PG_GETARG_JSONB_P(0);
    const Tokens tokens = tokens_of(json);
    return message_of(tokens, result, failure);
}

} // namespace radscheduler::pg
