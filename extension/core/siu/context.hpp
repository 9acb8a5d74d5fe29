// What every part of the SIU reader shares: the options, and where remarks and the one error go.
#pragma once

#include "radscheduler/siu/reader.hpp"

#include <string>
#include <utility>

namespace radscheduler::siu {

class Context {
public:
    Context(const SiuOptions& options, SiuReading& reading) : options_(options), reading_(reading) {}

    const SiuOptions& options() const { return options_; }
    bool lenient() const { return options_.lenient; }

    void warn(std::string code, std::string path, std::string text) {
        reading_.warnings.push_back({std::move(code), std::move(path), std::move(text)});
    }

    // The first error stands: it is the one nearest to the start of the reading order.
    void fail(std::string code, std::string path, std::string text) {
        if (!reading_.error) reading_.error = SiuError{std::move(code), std::move(path), std::move(text)};
    }

    // Lenient: records the repair and answers true. Strict: records error 102 and answers false.
    bool repair(std::string code, std::string path, const std::string& problem, const std::string& done) {
        if (!lenient()) {
            fail("102", std::move(path), problem + "; strict reading repairs nothing, so correct the message.");
            return false;
        }
        warn(std::move(code), std::move(path), problem + "; " + done);
        return true;
    }

private:
    const SiuOptions& options_;
    SiuReading& reading_;
};

} // namespace radscheduler::siu
