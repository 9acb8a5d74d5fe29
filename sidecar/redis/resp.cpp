#include "redis/resp.hpp"

#include <hiredis/hiredis.h>

namespace radscheduler::sidecar::redis {
namespace {

Reply convert(const redisReply& from) {
    Reply reply;
    switch (from.type) {
    case REDIS_REPLY_STATUS:
        reply.kind = Reply::Kind::status;
        break;
    case REDIS_REPLY_ERROR:
        reply.kind = Reply::Kind::error;
        break;
    case REDIS_REPLY_STRING:
        reply.kind = Reply::Kind::string;
        break;
    case REDIS_REPLY_INTEGER:
        reply.kind = Reply::Kind::integer;
        reply.number = from.integer;
        return reply;
    case REDIS_REPLY_ARRAY:
        reply.kind = Reply::Kind::array;
        for (std::size_t i = 0; i < from.elements; ++i) {
            reply.elements.push_back(convert(*from.element[i]));
        }
        return reply;
    default:
        return reply;
    }
    reply.text.assign(from.str, static_cast<std::size_t>(from.len));
    return reply;
}

// hiredis makes room for an array before its elements are there; a length that no answer of ours has is refused.
constexpr std::size_t most_elements = 1024;
constexpr std::size_t most_pending = 1U << 20U;

const redisReplyObjectFunctions*& default_functions() {
    static const redisReplyObjectFunctions* functions = nullptr;
    return functions;
}

template <class Size>
void* make_bounded_array(const redisReadTask* task, Size elements) {
    return static_cast<std::size_t>(elements) > most_elements ? nullptr
                                                              : default_functions()->createArray(task, elements);
}

redisReplyObjectFunctions* bounded_functions(const redisReader& reader) {
    static redisReplyObjectFunctions functions = [&] {
        default_functions() = reader.fn;
        auto bounded = *reader.fn;
        bounded.createArray = &make_bounded_array;
        return bounded;
    }();
    return &functions;
}

} // namespace

std::string encode(const Command& command) {
    std::vector<const char*> arguments;
    std::vector<std::size_t> lengths;
    for (const auto& word : command) {
        arguments.push_back(word.data());
        lengths.push_back(word.size());
    }
    char* bytes = nullptr;
    const int size =
        redisFormatCommandArgv(&bytes, static_cast<int>(arguments.size()), arguments.data(), lengths.data());
    if (size < 0) {
        throw std::bad_alloc();
    }
    std::string encoded(bytes, static_cast<std::size_t>(size));
    redisFreeCommand(bytes);
    return encoded;
}

std::string_view Reply::error_word() const {
    return kind == Kind::error ? std::string_view(text).substr(0, text.find(' ')) : std::string_view();
}

bool Reply::is_repetition() const {
    return kind == Kind::error && text.find("The ID specified in XADD is equal or smaller") != std::string::npos;
}

RespReader::RespReader() : reader_(redisReaderCreate(), [](redisReader* reader) { redisReaderFree(reader); }) {
    if (!reader_) {
        throw std::bad_alloc();
    }
    reader_->fn = bounded_functions(*reader_);
}

void RespReader::feed(std::string_view bytes) {
    broken_ = broken_ || bytes.size() + (reader_->len - reader_->pos) > most_pending ||
              redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK;
}

std::optional<Reply> RespReader::next() {
    void* raw = nullptr;
    if (broken_ || redisReaderGetReply(reader_.get(), &raw) != REDIS_OK) {
        broken_ = true;
        return std::nullopt;
    }
    if (raw == nullptr) {
        return std::nullopt;
    }
    const std::unique_ptr<redisReply, void (*)(redisReply*)> owned(static_cast<redisReply*>(raw),
                                                                   [](redisReply* reply) { freeReplyObject(reply); });
    return convert(*owned);
}

} // namespace radscheduler::sidecar::redis
