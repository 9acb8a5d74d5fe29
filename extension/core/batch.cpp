// One pass over the lines: headers and trailers move the state, everything else belongs to the message before it.
#include "radscheduler/batch.hpp"

#include "ascii.hpp"
#include "radscheduler/delimiters.hpp"
#include "radscheduler/message.hpp"

#include <algorithm>

namespace radscheduler {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kNone = std::string_view::npos;

constexpr bool is_framing(char c) {
    return c == '\x0B' || c == '\x1C';
}

enum class Kind { message, batch_header, file_header, batch_trailer, file_trailer, other };

// What begins here. A name counts only if something follows that can separate fields, or nothing at all: free text
// that was wrapped ("MSH is missing") goes on being part of its message.
Kind kind_of(std::string_view line) {
    if (line.size() > 3) {
        const char next = line[3];
        const bool ends_name = is_framing(next) || (next > ' ' && next < '\x7F' && !is_alpha(next) && !is_digit(next));
        if (!ends_name) return Kind::other;
    }
    const std::string_view name = line.substr(0, 3);
    if (name == "MSH") return Kind::message;
    if (name == "BHS") return Kind::batch_header;
    if (name == "FHS") return Kind::file_header;
    if (name == "BTS") return Kind::batch_trailer;
    if (name == "FTS") return Kind::file_trailer;
    return Kind::other;
}

std::string_view without_framing(std::string_view line) {
    while (!line.empty() && (is_framing(line.back()) || is_blank(line.back())))
        line.remove_suffix(1);
    return line;
}

// BTS-1 or FTS-1 when it is a number that can be a count. The trailer brings its own separator.
bool read_count(std::string_view line, std::size_t& count) {
    constexpr std::size_t longest = 9;
    line = without_framing(line);
    if (line.size() < 5) return false;
    const std::string_view field = line.substr(4);
    std::string_view digits = trim(field.substr(0, field.find(line[3])));
    while (digits.size() > 1 && digits.front() == '0')
        digits.remove_prefix(1);
    if (!all_digits(digits) || digits.size() > longest) return false;
    count = static_cast<std::size_t>(digits_value(digits));
    return true;
}

std::string counted(std::size_t count, const char* one, const char* many) {
    return std::to_string(count) + " " + (count == 1 ? one : many);
}

class Splitter {
public:
    explicit Splitter(std::string_view bytes) : bytes_(bytes) {}

    BatchReading split() {
        while (position_ < bytes_.size())
            line();
        finish();
        return std::move(reading_);
    }

private:
    struct Extent {
        std::size_t begin = 0;
        std::size_t end = 0;
    };

    // End of the line that begins at position_: its CR or LF, or a framing byte with a header or trailer right behind.
    std::size_t line_end() const {
        std::size_t end = position_;
        while (true) {
            end = bytes_.find_first_of("\r\n\x0B\x1C", end);
            if (end == kNone) return bytes_.size();
            if (!is_framing(bytes_[end])) return end;
            if (end > position_ && kind_of(bytes_.substr(end + 1, 4)) != Kind::other) return end;
            ++end;
        }
    }

    std::size_t content_begin(std::size_t end) const {
        std::size_t begin = position_;
        while (begin < end) {
            if (is_blank(bytes_[begin]) || is_framing(bytes_[begin])) {
                ++begin;
            } else if (bytes_.substr(begin).starts_with(kByteOrderMark)) {
                begin += kByteOrderMark.size();
            } else {
                break;
            }
        }
        return std::min(begin, end);
    }

    void line() {
        const std::size_t begin = position_;
        const std::size_t end = line_end();
        const Extent content{content_begin(end), end};
        const Kind kind = kind_of(bytes_.substr(content.begin, content.end - content.begin));
        position_ = end < bytes_.size() && !is_framing(bytes_[end]) ? end + 1 : end;
        if (kind == Kind::other) {
            if (message_ == kNone && content.begin != content.end) stray(content);
            return;
        }
        end_message(begin);
        switch (kind) {
        case Kind::message:
            begin_message(content);
            break;
        case Kind::batch_header:
            begin_batch(content);
            break;
        case Kind::file_header:
            begin_file(content);
            break;
        case Kind::batch_trailer:
            batch_trailer(content);
            break;
        case Kind::file_trailer:
            file_trailer(content);
            break;
        case Kind::other:
            break;
        }
    }

    void finish() {
        end_message(bytes_.size());
        const Extent here{bytes_.size(), bytes_.size()};
        if (in_batch_) end_batch(here);
        if (in_file_) end_file(here);
        report_outside();
    }

    void begin_message(Extent header) {
        message_ = header.begin;
        ++ordinal_;
        check_delimiters(header);
        ++batch_messages_;
        ++file_messages_;
        if (in_batch_) return;
        if (outside_ == 0) outside_begin_ = {header, ordinal_};
        ++outside_;
    }

    void end_message(std::size_t end) {
        report_stray();
        if (message_ == kNone) return;
        std::string_view text = bytes_.substr(message_, end - message_);
        std::string without_nul;
        if (const auto nuls = std::count(text.begin(), text.end(), '\0'); nuls != 0) {
            warn("NUL_BYTE", "", {message_, end},
                 "Message " + std::to_string(ordinal_) + " held " +
                     counted(static_cast<std::size_t>(nuls), "NUL byte", "NUL bytes") +
                     ", which were left out; look whether the file was damaged or is UTF-16.");
            without_nul.reserve(text.size());
            std::copy_if(text.begin(), text.end(), std::back_inserter(without_nul), [](char c) { return c != '\0'; });
            text = without_nul;
        }
        Result<std::string> canonical = normalize(text);
        if (canonical) {
            reading_.messages.push_back({ordinal_, in_file_ ? file_ : 0, in_batch_ ? batch_ : 0, message_,
                                         std::move(*canonical)});
        }
        message_ = kNone;
    }

    void begin_batch(Extent header) {
        enveloped_ = true;
        if (in_batch_) end_batch({header.begin, header.begin});
        report_outside();
        in_batch_ = true;
        ++batch_;
        ++file_batches_;
        batch_messages_ = 0;
        batch_begin_ = header;
        check_delimiters(header);
    }

    // Where no trailer ended it the extent is empty.
    void end_batch(Extent trailer) {
        if (trailer.begin == trailer.end) {
            warn("BATCH_TRAILER_MISSING", "BTS", trailer,
                 "Batch " + std::to_string(batch_) +
                     " has no BTS at its end; ask the sender whether all its messages were sent.");
        }
        if (batch_messages_ == 0) {
            warn("BATCH_EMPTY", "BHS", batch_begin_, "Batch " + std::to_string(batch_) + " holds no message.");
        }
        in_batch_ = false;
    }

    void batch_trailer(Extent trailer) {
        enveloped_ = true;
        const std::size_t found = in_batch_ ? batch_messages_ : outside_;
        std::size_t declared = 0;
        if (read_count(text_of(trailer), declared) && declared != found) {
            warn("BATCH_COUNT_WRONG", "BTS-1", trailer,
                 "BTS-1 declares " + counted(declared, "message", "messages") + " and there are " +
                     std::to_string(found) + "; ask the sender whether the batch is complete.");
        }
        if (in_batch_) return end_batch(trailer);
        report_outside();
        warn("BATCH_HEADER_MISSING", "BHS", trailer,
             "A BTS ends a batch that no BHS began; messages before it count as outside any batch.");
    }

    void begin_file(Extent header) {
        enveloped_ = true;
        if (in_batch_) end_batch({header.begin, header.begin});
        if (in_file_) end_file({header.begin, header.begin});
        report_outside();
        in_file_ = true;
        ++file_;
        file_batches_ = 0;
        file_messages_ = 0;
        file_begin_ = header;
        check_delimiters(header);
    }

    void end_file(Extent trailer) {
        report_outside();
        if (trailer.begin == trailer.end) {
            warn("FILE_TRAILER_MISSING", "FTS", trailer,
                 "File " + std::to_string(file_) + " has no FTS at its end; ask the sender whether it is complete.");
        }
        if (file_batches_ == 0 && file_messages_ == 0) {
            warn("FILE_EMPTY", "FHS", file_begin_,
                 "File " + std::to_string(file_) + " holds no batch and no message.");
        }
        in_file_ = false;
    }

    void file_trailer(Extent trailer) {
        enveloped_ = true;
        if (in_batch_) end_batch({trailer.begin, trailer.begin});
        if (!in_file_) {
            report_outside();
            warn("FILE_HEADER_MISSING", "FHS", trailer, "An FTS ends a file that no FHS began.");
            return;
        }
        // Messages of a file without any BHS make one batch to some senders and none to others.
        const std::size_t most = file_batches_ == 0 && file_messages_ != 0 ? 1 : file_batches_;
        std::size_t declared = 0;
        if (read_count(text_of(trailer), declared) && (declared < file_batches_ || declared > most)) {
            warn("FILE_COUNT_WRONG", "FTS-1", trailer,
                 "FTS-1 declares " + counted(declared, "batch", "batches") + " and there are " +
                     std::to_string(file_batches_) + "; ask the sender whether the file is complete.");
        }
        end_file(trailer);
    }

    // Messages that stood outside any batch, once it is clear that the sender uses envelopes.
    void report_outside() {
        if (outside_ != 0 && enveloped_) {
            BatchWarning warning = warning_at(
                "MESSAGE_OUTSIDE_BATCH", "MSH", outside_begin_.header,
                counted(outside_, "message stands", "messages stand") + " outside any batch, the first is message " +
                    std::to_string(outside_begin_.ordinal) + "; they were kept.");
            warning.message = outside_begin_.ordinal;
            warning.batch = 0;
            add(std::move(warning));
        }
        outside_ = 0;
    }

    void stray(Extent content) {
        if (stray_.begin == stray_.end) stray_.begin = content.begin;
        stray_.end = content.end;
    }

    void report_stray() {
        if (stray_.begin == stray_.end) return;
        warn("STRAY_CONTENT", "", stray_,
             counted(stray_.end - stray_.begin, "byte", "bytes") + " from offset " + std::to_string(stray_.begin) +
                 " belong to no message and to no envelope and were not read; every message begins with MSH.");
        stray_ = {};
    }

    void check_delimiters(Extent header) {
        const Result<Delimiters> delimiters = Delimiters::read(without_framing(text_of(header)));
        if (!delimiters) warn("BAD_DELIMITERS", delimiters.error().path, header, delimiters.error().text);
    }

    std::string_view text_of(Extent extent) const { return bytes_.substr(extent.begin, extent.end - extent.begin); }

    BatchWarning warning_at(const char* code, std::string path, Extent extent, std::string text) const {
        return {code,         std::move(path),           ordinal_,       in_file_ ? file_ : 0, in_batch_ ? batch_ : 0,
                extent.begin, extent.end - extent.begin, std::move(text)};
    }

    void warn(const char* code, std::string path, Extent extent, std::string text) {
        add(warning_at(code, std::move(path), extent, std::move(text)));
    }

    // Broken input of n bytes could ask for n warnings of hundreds of bytes each.
    void add(BatchWarning warning) {
        if (reading_.warnings.size() < kMaxBatchWarnings) {
            reading_.warnings.push_back(std::move(warning));
            return;
        }
        if (reading_.warnings.size() == kMaxBatchWarnings) reading_.warnings.push_back(std::move(warning));
        BatchWarning& last = reading_.warnings.back();
        last.code = "MORE_WARNINGS";
        last.path.clear();
        last.length = 0;
        last.text = counted(++left_out_, "further warning was", "further warnings were") +
                    " left out, the first at byte " + std::to_string(last.offset) + ".";
    }

    struct FirstOutside {
        Extent header;
        std::size_t ordinal = 0;
    };

    std::string_view bytes_;
    std::size_t position_ = 0;
    BatchReading reading_;
    std::size_t left_out_ = 0;
    std::size_t message_ = kNone; // where the message being read begins
    std::size_t ordinal_ = 0;
    Extent stray_;
    bool enveloped_ = false; // any BHS, BTS, FHS or FTS so far
    bool in_batch_ = false;
    bool in_file_ = false;
    std::size_t batch_ = 0;
    std::size_t file_ = 0;
    std::size_t batch_messages_ = 0;
    std::size_t file_messages_ = 0;
    std::size_t file_batches_ = 0;
    Extent batch_begin_;
    Extent file_begin_;
    std::size_t outside_ = 0;
    FirstOutside outside_begin_;
};

} // namespace

BatchReading split_batch(std::string_view bytes) {
    return Splitter(bytes).split();
}

} // namespace radscheduler
