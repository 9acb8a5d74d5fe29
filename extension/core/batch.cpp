// One pass over the lines: headers and trailers move the state, everything else belongs to the message before it.
#include "radscheduler/batch.hpp"

#include "batch_line.hpp"
#include "radscheduler/delimiters.hpp"
#include "radscheduler/message.hpp"

#include <algorithm>

namespace radscheduler {

namespace {

constexpr std::size_t kNone = std::string_view::npos;

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

    void line() {
        const std::size_t begin = position_;
        const std::size_t end = batch_line_end(bytes_, begin);
        const Extent content{batch_content_begin(bytes_, begin, end), end};
        const BatchLine kind = batch_line(text_of(content));
        // A framing byte or NUL that ended the line begins the next.
        const bool line_break = end < bytes_.size() && (bytes_[end] == '\r' || bytes_[end] == '\n');
        position_ = line_break ? end + 1 : end;
        if (kind == BatchLine::other) {
            if (content.begin == content.end) return;
            filler_ = position_;
            if (message_ == kNone) stray(content);
            return;
        }
        end_message();
        switch (kind) {
        case BatchLine::message:
            begin_message(content);
            break;
        case BatchLine::batch_header:
            begin_batch(content);
            break;
        case BatchLine::file_header:
            begin_file(content);
            break;
        case BatchLine::batch_trailer:
            batch_trailer(content);
            break;
        case BatchLine::file_trailer:
            file_trailer(content);
            break;
        case BatchLine::other:
            break;
        }
    }

    void finish() {
        end_message();
        const Extent here{bytes_.size(), bytes_.size()};
        if (in_batch_) end_batch(here);
        if (in_file_) end_file(here);
        report_outside();
        report_left_out();
    }

    void begin_message(Extent header) {
        message_ = header.begin;
        filler_ = position_;
        ++ordinal_;
        check_delimiters(header);
        ++batch_messages_;
        ++file_messages_;
        if (in_batch_) return;
        if (outside_ == 0) outside_begin_ = {header, ordinal_};
        ++outside_;
    }

    void end_message() {
        report_stray();
        if (message_ == kNone) return;
        std::string_view text = text_of({message_, filler_});
        std::string without_nul;
        if (const auto nuls = std::count(text.begin(), text.end(), '\0'); nuls != 0) {
            warn("NUL_BYTE", "", {message_, filler_},
                 "Message " + std::to_string(ordinal_) + " held " +
                     counted(static_cast<std::size_t>(nuls), "NUL byte", "NUL bytes") +
                     ", which were left out; look whether the file was damaged or is UTF-16.");
            without_nul.reserve(text.size());
            std::copy_if(text.begin(), text.end(), std::back_inserter(without_nul), [](char c) { return c != '\0'; });
            text = without_nul;
        }
        Result<std::string> canonical = normalize(text);
        if (canonical) {
            reading_.messages.push_back(
                {ordinal_, in_file_ ? file_ : 0, in_batch_ ? batch_ : 0, message_, std::move(*canonical)});
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
        if (read_batch_count(text_of(trailer), declared) && declared != found) {
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
            warn("FILE_EMPTY", "FHS", file_begin_, "File " + std::to_string(file_) + " holds no batch and no message.");
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
        if (read_batch_count(text_of(trailer), declared) && (declared < file_batches_ || declared > most)) {
            warn("FILE_COUNT_WRONG", "FTS-1", trailer,
                 "FTS-1 declares " + counted(declared, "batch", "batches") + " and there are " +
                     std::to_string(file_batches_) + "; ask the sender whether the file is complete.");
        }
        end_file(trailer);
    }

    // Messages that stood outside any batch, once it is clear that the sender uses envelopes.
    void report_outside() {
        if (outside_ != 0 && enveloped_) {
            BatchWarning warning = warning_at("MESSAGE_OUTSIDE_BATCH", "MSH", outside_begin_.header,
                                              counted(outside_, "message stands", "messages stand") +
                                                  " outside any batch, the first is message " +
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
        } else if (left_out_++ == 0) {
            first_left_out_ = std::move(warning);
        }
    }

    void report_left_out() {
        if (left_out_ == 0) return;
        BatchWarning& last = reading_.warnings.emplace_back(std::move(first_left_out_));
        last.code = "MORE_WARNINGS";
        last.path.clear();
        last.length = 0;
        last.text = counted(left_out_, "further warning was", "further warnings were") +
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
    BatchWarning first_left_out_;
    std::size_t message_ = kNone; // where the message being read begins
    std::size_t filler_ = 0;      // behind the last line that held anything
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
