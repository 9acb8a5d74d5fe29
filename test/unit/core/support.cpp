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

} // namespace radscheduler::test
