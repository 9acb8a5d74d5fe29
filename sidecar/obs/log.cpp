#include "obs/log.hpp"

#include <chrono>
#include <memory>

#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "obs/text.hpp"

namespace radscheduler::sidecar::log {
namespace {

std::shared_ptr<spdlog::logger>& logger() {
    static std::shared_ptr<spdlog::logger> instance;
    return instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
    case Level::debug:
        return spdlog::level::debug;
    case Level::info:
        return spdlog::level::info;
    case Level::warn:
        return spdlog::level::warn;
    case Level::error:
        break;
    }
    return spdlog::level::err;
}

std::string_view name_of(Level level) {
    switch (level) {
    case Level::debug:
        return "debug";
    case Level::info:
        return "info";
    case Level::warn:
        return "warn";
    case Level::error:
        break;
    }
    return "error";
}

void append_text(std::string& line, std::string_view text) {
    line += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace

void Field::append_to(std::string& line) const {
    line += ",\"";
    line += name_;
    line += "\":";
    switch (kind_) {
    case Kind::text:
        append_text(line, text_);
        break;
    case Kind::integer:
        line += std::to_string(number_);
        break;
    case Kind::real:
        line += fmt::format("{:.3f}", real_);
        break;
    case Kind::boolean:
        line += number_ != 0 ? "true" : "false";
        break;
    }
}

void start(Level level) {
    auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    logger() = std::make_shared<spdlog::logger>("radschedulerd", std::move(sink));
    logger()->set_pattern("%v");
    logger()->set_level(to_spdlog(level));
    logger()->flush_on(spdlog::level::debug);
}

void flush() {
    if (logger()) {
        logger()->flush();
    }
}

void write(Level level, std::string_view event, std::string_view sentence, std::initializer_list<Field> fields) {
    if (!logger() || !logger()->should_log(to_spdlog(level))) {
        return;
    }
    std::string line = "{\"ts\":\"";
    line += utc_timestamp(std::chrono::system_clock::now());
    line += "\",\"level\":\"";
    line += name_of(level);
    line += "\",\"event\":\"";
    line += event;
    line += "\",\"msg\":";
    append_text(line, sentence);
    for (const auto& field : fields) {
        field.append_to(line);
    }
    line += '}';
    logger()->log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

} // namespace radscheduler::sidecar::log
