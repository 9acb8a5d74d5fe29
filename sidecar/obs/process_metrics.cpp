// The process itself, under the names that every exporter uses (process_*).
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

#include "obs/metric_page.hpp"

namespace radscheduler::sidecar {
namespace {

double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Seconds since 1970 at which the system was started; 0 when /proc does not say.
double boot_time() {
    std::ifstream file("/proc/stat");
    std::string word;
    double value = 0;
    while (file >> word) {
        if (word == "btime" && file >> value) {
            return value;
        }
    }
    return 0;
}

// Ticks after that at which this process was started: field 22, counted behind the name, which may hold anything.
double start_ticks() {
    constexpr int fields_between = 19;
    std::ifstream file("/proc/self/stat");
    std::string line;
    std::getline(file, line);
    const auto name_end = line.rfind(')');
    std::size_t at = name_end == std::string::npos ? line.size() : name_end + 2;
    for (int i = 0; i < fields_between && at < line.size(); ++i) {
        at = std::min(line.find(' ', at), line.size() - 1) + 1;
    }
    return at < line.size() ? std::strtod(line.c_str() + at, nullptr) : 0;
}

double open_files() {
    std::error_code ec;
    const std::filesystem::directory_iterator list("/proc/self/fd", ec);
    return ec ? 0 : static_cast<double>(std::distance(begin(list), end(list)));
}

} // namespace

void add_process(Page& page) {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    auto& cpu = page.family("process_cpu_seconds_total", "Processor time used.", MetricType::Counter);
    Page::value(cpu, {}, seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
    std::ifstream memory("/proc/self/statm");
    double whole = 0;
    double resident = 0;
    memory >> whole >> resident;
    const auto page_size = static_cast<double>(::sysconf(_SC_PAGESIZE));
    page.gauge("process_virtual_memory_bytes", "Address space.", whole * page_size);
    page.gauge("process_resident_memory_bytes", "Memory in use.", resident * page_size);
    page.gauge("process_open_fds", "Open files and sockets.", open_files());
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    page.gauge("process_max_fds", "How many there may be.", static_cast<double>(limit.rlim_cur));
    static const double started = boot_time() + start_ticks() / static_cast<double>(::sysconf(_SC_CLK_TCK));
    page.gauge("process_start_time_seconds", "When it was started, in seconds since 1970.", started);
}

} // namespace radscheduler::sidecar
