#include "support.hpp"

#include <cstdlib>
#include <gtest/gtest.h>

namespace radscheduler::test {

std::string with_header(std::string_view segments) {
    return std::string(kHeader) + std::string(segments);
}

Opened open(std::string_view bytes) {
    Opened opened;
    Result<std::string> canonical = normalize(bytes);
    if (!canonical) {
        ADD_FAILURE() << canonical.error().text;
        return opened;
    }
    opened.text = std::make_unique<const std::string>(std::move(*canonical));
    Result<Message> message = Message::open(*opened.text);
    if (!message) {
        ADD_FAILURE() << message.error().text;
        return opened;
    }
    opened.message = *message;
    return opened;
}

nlohmann::json read_json(std::string_view bytes, const SiuOptions& options) {
    const Result<std::string> canonical = normalize(bytes);
    if (!canonical) {
        ADD_FAILURE() << canonical.error().text;
        return {};
    }
    const Result<Message> message = Message::open(*canonical);
    if (!message) {
        ADD_FAILURE() << message.error().text;
        return {};
    }
    return nlohmann::json::parse(to_json(read_siu(*message, options)));
}

nlohmann::json read_segments(std::string_view segments, const SiuOptions& options) {
    return read_json(with_header(segments), options);
}

bool has_warning(const nlohmann::json& reading, std::string_view code, std::string_view path) {
    for (const auto& warning : reading.at("warnings")) {
        if (warning.at("code") == code && warning.value("path", "") == path) return true;
    }
    return false;
}

std::size_t count_warnings(const nlohmann::json& reading, std::string_view code) {
    std::size_t count = 0;
    for (const auto& warning : reading.at("warnings"))
        count += warning.at("code") == code ? 1 : 0;
    return count;
}

std::optional<std::filesystem::path> beside_repository(const char* variable, const char* relative) {
    std::filesystem::path place;
    if (const char* given = std::getenv(variable); given != nullptr) {
        place = given;
    } else {
        place = std::filesystem::path(RADSCHED_SOURCE_DIR).parent_path() / relative;
    }
    std::error_code ignored;
    if (!std::filesystem::exists(place, ignored)) return std::nullopt;
    return place;
}

std::vector<JsonToken> tokens_of(const nlohmann::json& value) {
    using Kind = JsonToken::Kind;
    std::vector<JsonToken> tokens;
    const auto append = [&tokens](const nlohmann::json& inner) {
        const std::vector<JsonToken> more = tokens_of(inner);
        tokens.insert(tokens.end(), more.begin(), more.end());
    };
    if (value.is_array()) {
        tokens.push_back({Kind::begin_array, {}});
        for (const nlohmann::json& element : value)
            append(element);
        tokens.push_back({Kind::end_array, {}});
    } else if (value.is_object()) {
        tokens.push_back({Kind::begin_object, {}});
        for (auto member = value.begin(); member != value.end(); ++member) {
            tokens.push_back({Kind::key, member.key()});
            append(member.value());
        }
        tokens.push_back({Kind::end_object, {}});
    } else if (value.is_string()) {
        tokens.push_back({Kind::string, value.get_ref<const std::string&>()});
    } else if (value.is_number()) {
        tokens.push_back({Kind::number, "12"});
    } else {
        tokens.push_back({value.is_boolean() ? Kind::boolean : Kind::null, {}});
    }
    return tokens;
}

} // namespace radscheduler::test
