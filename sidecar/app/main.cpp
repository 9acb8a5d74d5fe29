// radschedulerd: reads the configuration, says what is wrong with it or what is off, and runs the application.
// Exit codes: 0 ended in order, 1 could not start or broke, 2 the configuration has problems.
#include <csignal>
#include <cstdio>
#include <exception>
#include <malloc.h>

#include "app/application.hpp"
#include "app/credentials_command.hpp"
#include "config/load.hpp"
#include "obs/log.hpp"

namespace {

constexpr int exit_bad_configuration = 2;

void print_lines(std::FILE* where, const char* prefix, const std::vector<std::string>& lines) {
    for (const auto& line : lines) {
        std::fprintf(where, "%s%s\n", prefix, line.c_str());
    }
}

} // namespace

int main(int argc, char** argv) {
    using namespace radscheduler::sidecar;
    // A fixed threshold gives the memory of large messages back to the system; glibc would raise it and keep them.
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    std::signal(SIGPIPE, SIG_IGN); // a peer that has gone is an error code, not the end of the process
    try {
        if (const auto code = credentials_command(process_environment(), {argv + 1, argv + argc})) {
            return *code;
        }
        auto loaded = load(process_environment(), {argv + 1, argv + argc});
        if (!loaded.problems.empty()) {
            print_lines(stderr, "error: ", loaded.problems);
            return exit_bad_configuration;
        }
        switch (loaded.wish) {
        case Wish::show_text:
            std::fputs(loaded.text.c_str(), stdout);
            return 0;
        case Wish::print_config:
            std::fputs(print_config(loaded.settings).c_str(), stdout);
            return 0;
        case Wish::check_config:
            print_lines(stdout, "warning: ", loaded.warnings);
            std::puts("The configuration is good.");
            return 0;
        case Wish::run:
            break;
        }
        log::start(loaded.settings.log_level);
        for (const auto& warning : loaded.warnings) {
            log::warn("config.warning", warning);
        }
        for (const auto& part : optional_parts(loaded.settings)) {
            log::info("config.part", part.sentence, {{"part", part.name}, {"on", part.on}});
        }
        Application application(std::move(loaded.settings));
        return application.run();
    } catch (const std::exception& exception) {
        std::fprintf(stderr, "error: radschedulerd broke: %s. This is a defect; please report it.\n", exception.what());
        return 1;
    }
}
