// How fast the core reads: opening the guide's sample and reading eight decoded fields, beside the floor of a plain
// byte scan over the same text in the same run; and the index of all separators of a large message. One core, no
// threads, memory warm. Prints one table.
//   core_bench [seconds per row, default 1]
#include "radscheduler/delimiter_index.hpp"
#include "radscheduler/escape.hpp"
#include "radscheduler/message_json.hpp"
#include "radscheduler/siu/reader.hpp"
#include "radscheduler/value.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

using namespace radscheduler;

constexpr std::string_view kSample =
    "MSH|^~\\&|RIS|MEMORIAL|RADSCHED|RAD|20240115100000||SIU^S12|MSG001|P|2.5\r"
    "SCH||1234|||||||30|MIN|^^30^202401151000^^R||||||||||||||SCHEDULED\r"
    "PID|1||MRN123456||DOE^JOHN||19800101|M|||123 MAIN ST^^BOSTON^MA^02101||617-555-0123\r"
    "RGS|1|A\r"
    "AIS|1|A|MRI001^MRI BRAIN W/O CONTRAST|202401151000\r"
    "AIP|1|A|RADIOLOGIST^DOE^JOHN^MD|202401151000";

constexpr std::array<const char*, 8> kPaths = {"MSH-9.2", "MSH-10",  "SCH-2",  "SCH-11.4",
                                               "PID-3.1", "PID-5.1", "PID-13", "AIS-3.2"};

// Keeps a result alive without costing anything.
template <class T>
void keep(const T& value) {
    asm volatile("" : : "g"(&value) : "memory");
}

// Calls per second of `work`, in batches so that the clock does not count.
template <class Work>
double rate(double seconds, int batch, Work work) {
    using Clock = std::chrono::steady_clock;
    for (int i = 0; i < batch; ++i)
        work();
    const Clock::time_point start = Clock::now();
    long calls = 0;
    double elapsed = 0;
    while (elapsed < seconds) {
        for (int i = 0; i < batch; ++i)
            work();
        calls += batch;
        elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    }
    return static_cast<double>(calls) / elapsed;
}

template <class Work>
double rate(double seconds, Work work) {
    return rate(seconds, 2000, work);
}

void row(const char* what, double per_second, double floor) {
    const double megabytes = per_second * static_cast<double>(kSample.size()) / 1e6;
    std::printf("%-44s %12.0f %9.0f %8.0f %8.2f\n", what, per_second, 1e9 / per_second, megabytes, floor / per_second);
}

// A result message of about 230 kB, as laboratories send them.
std::string large_result() {
    std::string text = "MSH|^~\\&|LAB|HOSPITAL|EHR|HOSPITAL|20260101120000||ORU^R01^ORU_R01|1|P|2.5.1\r"
                       "PID|1||123^^^HOSPITAL^MR||DOE^JANE||19800101|F\rOBR|1|||24323-8^Comprehensive panel^LN\r";
    for (int i = 1; text.size() < 230'000; ++i) {
        text += "OBX|" + std::to_string(i) + "|NM|2345-7^Glucose [Mass/volume] in Serum or Plasma^LN||" +
                std::to_string(90 + i % 40) + ".5|mg/dL^milligram per decilitre^UCUM|70-99|N|||F|||20260101120000\r";
    }
    return text;
}

// The index of every separator, by each kernel that this processor has, beside a plain table loop.
void index_table(double seconds) {
    const std::string text = large_result();
    const Delimiters delimiters;
    std::printf("\nfull separator index of %zu bytes\n%-44s %8s %9s\n", text.size(), "", "GB/s", "x scalar");
    double scalar = 0;
    for (const ScanKernel kernel :
         {ScanKernel::scalar, ScanKernel::sse2, ScanKernel::avx2, ScanKernel::avx512, ScanKernel::neon}) {
        if (!has_kernel(kernel)) continue;
        DelimiterIndex index(text, delimiters, kernel);
        const double speed = rate(seconds, 50,
                                  [&] {
                                      index.rebuild(text, delimiters, kernel);
                                      keep(index);
                                  }) *
                             static_cast<double>(text.size()) / 1e9;
        if (kernel == ScanKernel::scalar) scalar = speed;
        std::printf("%-44s %8.2f %9.2f%s\n", std::string(kernel_name(kernel)).c_str(), speed, speed / scalar,
                    kernel == best_kernel() ? "  (used here)" : "");
    }
    const Message message = *Message::open(text);
    const double json = rate(seconds, 5, [&] { keep(message_json(message)); }) * static_cast<double>(text.size()) / 1e9;
    std::printf("%-44s %8.2f %9.2f\n", "whole message as JSON text", json, json / scalar);
}

} // namespace

int main(int argc, char** argv) {
    const double seconds = argc > 1 ? std::atof(argv[1]) : 1.0;
    const std::string canonical = *normalize(kSample);
    std::array<Path, kPaths.size()> paths;
    for (std::size_t i = 0; i < kPaths.size(); ++i)
        paths[i] = *Path::parse(kPaths[i]);

    const double loop = rate(seconds, [&] {
        std::size_t count = 0;
        for (const char c : canonical)
            count += c == '|' || c == '\r' ? 1 : 0;
        keep(count);
    });
    const double memchr_scan = rate(seconds, [&] {
        std::size_t count = 0;
        for (const char separator : {'|', '\r'}) {
            const char* position = canonical.data();
            const char* const end = position + canonical.size();
            while ((position = static_cast<const char*>(
                        std::memchr(position, separator, static_cast<std::size_t>(end - position)))) != nullptr) {
                ++count;
                ++position;
            }
        }
        keep(count);
    });
    const double open = rate(seconds, [&] { keep(*Message::open(canonical)); });
    const double eight = rate(seconds, [&] {
        const Result<Message> message = Message::open(canonical);
        for (const Path& path : paths)
            keep(decode(get(*message, path).raw, message->delimiters()));
    });
    const double many = rate(seconds, [&] {
        const Result<Message> message = Message::open(canonical);
        std::array<Value, kPaths.size()> values;
        get_many(*message, paths, values);
        for (const Value& value : values)
            keep(decode(value.raw, message->delimiters()));
    });
    const double text_paths = rate(seconds, [&] {
        const Result<Message> message = Message::open(canonical);
        for (const char* path : kPaths)
            keep(get_text(*message, *Path::parse(path)));
    });
    const double normalizing = rate(seconds, [&] { keep(*normalize(kSample)); });
    const double reading = rate(seconds, [&] { keep(read_siu(*Message::open(canonical))); });
    const double json = rate(seconds, [&] { keep(to_json(read_siu(*Message::open(canonical)))); });

    std::printf("sample of %zu bytes, one core\n", canonical.size());
    std::printf("%-44s %12s %9s %8s %8s\n", "", "messages/s", "ns each", "MB/s", "x floor");
    row("floor: count | and CR, plain loop", loop, loop);
    row("floor: count | and CR, memchr", memchr_scan, loop);
    row("open", open, loop);
    row("open + 8 fields decoded", eight, loop);
    row("open + 8 fields decoded, one scan", many, loop);
    row("open + 8 fields decoded, paths parsed each time", text_paths, loop);
    row("normalize", normalizing, loop);
    row("open + typed SIU reading", reading, loop);
    row("open + typed SIU reading + JSON", json, loop);
    index_table(seconds);
    return 0;
}
