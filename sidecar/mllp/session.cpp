#include "mllp/session.hpp"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "mllp/batch_file.hpp"
#include "mllp/frame_writer.hpp"
#include "mllp/trigger.hpp"
#include "obs/log.hpp"
#include "obs/text.hpp"

namespace radscheduler::sidecar::mllp {
namespace {

constexpr Milliseconds first_retry{100};
constexpr Milliseconds longest_retry{2000};
constexpr Milliseconds linger{2000};
constexpr Milliseconds linger_when_stopping{300};
constexpr Milliseconds handshake_timeout{20'000};
constexpr std::size_t most_together = 50; // messages of one connection under way
constexpr std::size_t most_bytes_together = 1U << 20U;
constexpr std::size_t small_frame = 64U << 10U; // never refused for want of memory

} // namespace

Session::Session(Transport transport, std::string peer, std::shared_ptr<const Listener> listener,
                 std::shared_ptr<House> house)
    : transport_(std::move(transport)), peer_(std::move(peer)), listener_(std::move(listener)),
      house_(std::move(house)), counters_(house_->counters), reader_(house_->limits.max_frame),
      watchdog_(transport_.socket().get_executor(), [this] { transport_.cancel(); }),
      wake_(transport_.socket().get_executor()) {}

Session::~Session() {
    house_->memory -= memory_;
}

void Session::request_stop() {
    stopping_ = true;
    wake_.notify();
    if (reading_) {
        transport_.cancel();
    }
}

// How long the next bytes may take. A frame has its time as a whole: bytes that trickle in do not lengthen it.
Milliseconds Session::patience() const {
    const auto& limits = house_->limits;
    const auto left = [](Clock::time_point from, Milliseconds limit) {
        return std::max(Milliseconds(1), limit - since(from));
    };
    if (reader_.in_frame()) {
        return left(frame_began_, limits.frame_timeout);
    }
    return began_ ? limits.idle_timeout : left(opened_, std::min(limits.start_timeout, limits.idle_timeout));
}

void Session::note_memory() {
    house_->memory += reader_.pending() - memory_;
    memory_ = reader_.pending();
}

Task<bool> Session::begin_tls() {
    error_code ec;
    watchdog_.arm(handshake_timeout);
    reading_ = true;
    co_await transport_.handshake(ec);
    reading_ = false;
    watchdog_.disarm();
    if (ec) {
        counters_.mllp_tls_failed.add();
        log::warn("mllp.tls_failed", "the TLS handshake failed; closed. Check the peer's certificate and TLS versions",
                  {{"peer", peer_}, {"listener", listener_->name}, {"reason", ec.message()}});
        co_return false;
    }
    certificate_names_ = transport_.client().names;
    const bool known = listener_->senders.empty() ||
                       std::any_of(certificate_names_.begin(), certificate_names_.end(),
                                   [this](const auto& name) { return listener_->senders.count(name) > 0; });
    if (!known) {
        counters_.mllp_tls_failed.add();
        log::warn("mllp.certificate_unknown",
                  "the client's certificate stands for no sender of this listener; closed. Name it under \"senders\"",
                  {{"peer", peer_},
                   {"listener", listener_->name},
                   {"certificate", certificate_names_.empty() ? std::string() : certificate_names_[0]}});
    }
    co_return known;
}

Task<void> Session::run() {
    auto next = Next::go_on;
    std::string_view reason = "the peer closed";
    if (transport_.is_tls()) {
        const bool good = co_await begin_tls();
        if (!good) {
            error_code ignored;
            transport_.socket().close(ignored);
            co_return;
        }
    }
    while (next == Next::go_on && !stopping_) {
        error_code ec;
        watchdog_.arm(patience());
        reading_ = true;
        const auto bytes = co_await transport_.read(ec);
        reading_ = false;
        watchdog_.disarm();
        if (ec) {
            reason = watchdog_.expired()
                         ? (reader_.in_frame() ? "a message was not completed in time" : "idle for too long")
                     : stopping_              ? "shutting down"
                     : ec == asio::error::eof ? "the peer closed"
                                              : "the connection broke";
            break;
        }
        auto events = reader_.feed({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
        counters_.mllp_junk_bytes.add(reader_.stats().junk_bytes - counted_.junk_bytes);
        counters_.mllp_empty_frames.add(reader_.stats().empty_frames - counted_.empty_frames);
        if (reader_.stats().frames != counted_.frames) {
            frame_began_ = Clock::now();
        }
        began_ = began_ || std::any_of(events.begin(), events.end(),
                                       [](const auto& event) { return event.kind == FrameEvent::Kind::message; });
        counted_ = reader_.stats();
        note_memory();
        if (memory_ > small_frame && house_->memory > house_->limits.max_memory) {
            reason = "too much memory is taken by messages that have not arrived completely";
            break;
        }
        if (!events.empty()) {
            next = co_await handle(events);
            reason = stopping_ ? "shutting down" : next == Next::close ? "closed by us" : reason;
        }
    }
    if (reader_.in_frame() && reader_.pending() > 0) {
        end_inside_frame(watchdog_.expired() ? "too_slow" : "cut_off");
    }
    log::info("mllp.closed", reason, {{"peer", peer_}, {"junk_bytes", counted_.junk_bytes}});
    co_await transport_.close(stopping_ ? linger_when_stopping : linger);
}

void Session::end_inside_frame(std::string_view reason) {
    counters_.mllp_half_frames.add();
    const auto offset = reader_.frame_offset();
    reject(reason, "the connection ended inside a message; it was not processed and not answered",
           reader_.take_pending(), offset);
    note_memory();
}

// Messages that follow each other go together; what is no message is told in its place. (No co_await stands inside a
// larger expression here: g++ 12 destroys temporaries of such expressions twice.)
Task<Session::Next> Session::handle(std::vector<FrameEvent>& events) {
    std::vector<Payload> messages;
    std::size_t bytes = 0;
    auto next = Next::go_on;
    for (auto& event : events) {
        if (event.kind != FrameEvent::Kind::message) {
            next = co_await flush(messages);
            if (next == Next::go_on) {
                next = co_await refuse(event);
            }
            if (next == Next::close) {
                co_return next;
            }
            bytes = 0;
            continue;
        }
        const auto offset = event.offset;
        auto found = messages_of(std::move(event.bytes));
        for (auto& message : found) {
            if (!listener_->senders.empty() && !may_send(*listener_, certificate_names_, sender_of(message.view()))) {
                co_await flush(messages);
                reject("wrong_sender",
                       "the client's certificate does not stand for the sender (MSH-3, MSH-4) of a message; it was not "
                       "processed, and the connection is closed",
                       std::move(message), offset);
                co_return Next::close;
            }
            if (messages.size() >= most_together || bytes + message.size() > most_bytes_together) {
                next = co_await flush(messages);
                if (next == Next::close) {
                    co_return next;
                }
                bytes = 0;
            }
            bytes += message.size();
            messages.push_back(std::move(message));
        }
    }
    next = co_await flush(messages);
    co_return next;
}

// Delivers what has been gathered; close when nothing more is to be done on this connection.
Task<Session::Next> Session::flush(std::vector<Payload>& messages) {
    auto next = Next::go_on;
    if (!messages.empty()) {
        next = co_await deliver(messages);
        messages.clear();
    }
    co_return stopping_ ? Next::close : next;
}

Task<Session::Next> Session::refuse(const FrameEvent& event) {
    switch (event.kind) {
    case FrameEvent::Kind::message:
        break;
    case FrameEvent::Kind::half_frame:
        counters_.mllp_half_frames.add();
        reject("half_frame", "a new message began inside another; the first part was dropped and not answered",
               event.bytes, event.offset);
        co_return Next::go_on;
    case FrameEvent::Kind::outside_frame:
        log::warn("mllp.outside_frame",
                  "the peer sends bytes outside 0x0B ... 0x1C 0x0D; they are skipped. Check that the sender uses MLLP "
                  "framing",
                  {{"peer", peer_}});
        co_return Next::go_on;
    case FrameEvent::Kind::too_large:
        counters_.mllp_too_large.add();
        reject("too_large",
               "a message is larger than RADSCHED_MLLP_MAX_FRAME; the connection is closed without an answer. "
               "Raise the limit if such messages are expected (size and hash are those of the part kept)",
               event.bytes, event.offset);
        break;
    case FrameEvent::Kind::speaks_http:
        counters_.mllp_not_mllp.add();
        log::warn("mllp.not_mllp", "the peer speaks HTTP on the MLLP port; closed",
                  {{"peer", peer_}, {"http_port", house_->limits.http_port}});
        keep("speaks_http", event.bytes, event.offset);
        co_await refuse_http();
        break;
    case FrameEvent::Kind::speaks_tls:
        counters_.mllp_not_mllp.add();
        log::warn("mllp.not_mllp",
                  "the peer speaks TLS on a plain MLLP port; closed. Switch TLS off in the sender, or "
                  "give it a listener with TLS",
                  {{"peer", peer_}});
        keep("speaks_tls", event.bytes, event.offset);
        break;
    }
    co_return Next::close;
}

Task<Session::Next> Session::deliver(std::vector<Payload>& messages) {
    counters_.mllp_messages.add(messages.size());
    const auto arrived = Clock::now();
    Delivery delivery(first_retry, longest_retry);
    auto event = Delivery::Event::start;
    while (true) {
        const auto was_held = delivery.held();
        const auto step = delivery.resume(event, random_number());
        if (delivery.held() && !was_held) {
            counters_.mllp_held.add(messages.size());
        }
        if (step.action == Delivery::Action::attempt) {
            event = co_await attempt(messages, delivery, arrived);
        } else if (step.action == Delivery::Action::sleep) {
            co_await wake_.wait(step.delay);
            event = stopping_                              ? Delivery::Event::shutting_down
                    : peer_has_closed(transport_.socket()) ? Delivery::Event::peer_closed
                                                           : Delivery::Event::slept;
        } else if (step.action == Delivery::Action::answer) {
            co_return Next::go_on; // each was answered as soon as it could be
        } else {
            counters_.mllp_unanswered.add(messages.size());
            for (const auto& message : messages) {
                log::warn("mllp.unanswered", "a message was not answered; the sender keeps it and has to send it again",
                          {{"peer", peer_},
                           {"bytes", message.size()},
                           {"sha256", sha256_hex(message.view())},
                           {"attempts", delivery.attempts()},
                           {"duration_ms", since(arrived).count()}});
            }
            co_return Next::close;
        }
    }
}

// Answers what could be committed and leaves the rest in `messages`.
Task<Delivery::Event> Session::attempt(std::vector<Payload>& messages, const Delivery& delivery,
                                       Clock::time_point arrived) {
    auto parcel = std::make_shared<Parcel>(transport_.socket().get_executor());
    parcel->messages = std::move(messages);
    parcel->peer = peer_;
    parcel->site = listener_->site;
    parcel->profile = listener_->profile;
    parcel->alone = delivery.attempts() > 1;
    co_await house_->intake->deliver(parcel);
    const auto done = parcel->receipts.size();
    std::vector<Trace> traces;
    for (std::size_t i = 0; i < done; ++i) {
        const auto& message = parcel->messages[i];
        traces.push_back({message.size(), trigger_of(message.view())});
    }
    parcel->messages.erase(parcel->messages.begin(), parcel->messages.begin() + static_cast<std::ptrdiff_t>(done));
    messages = std::move(parcel->messages);
    if (done > 0) {
        const bool sent = co_await answer(parcel->receipts, traces, delivery.attempts(), arrived);
        if (!sent) {
            co_return Delivery::Event::peer_closed;
        }
    }
    if (!parcel->error) {
        co_return Delivery::Event::committed;
    }
    const auto& error = *parcel->error;
    const bool passing = error.kind == db::FailureKind::transient;
    log::write(!passing                   ? log::Level::error
               : delivery.attempts() == 1 ? log::Level::warn
                                          : log::Level::debug,
               "mllp.ingest_failed",
               passing ? "the database cannot take a message now; it is held, unanswered, and tried again"
                       : "the database refused a message unexpectedly; the connection is closed without an answer. "
                         "Look up the SQLSTATE in the PostgreSQL log of this moment",
               {{"peer", peer_}, {"sqlstate", error.sqlstate}, {"place", error.place}, {"reason", error.reason}});
    co_return passing ? Delivery::Event::transient_failure : Delivery::Event::permanent_failure;
}

Task<bool> Session::answer(const std::vector<Receipt>& receipts, const std::vector<Trace>& traces, int attempts,
                           Clock::time_point arrived) {
    // Enhanced mode may ask for silence; then there is nothing to send, nor to count.
    std::string frames;
    for (const auto& receipt : receipts) {
        if (!receipt.ack.empty()) {
            const bool positive = receipt.code == "AA" || receipt.code == "CA";
            (positive ? counters_.mllp_acks_positive : counters_.mllp_acks_negative).add();
            frames += framed(receipt.ack.view());
        }
    }
    bool sent = true;
    if (!frames.empty()) {
        sent = co_await write(frames);
    }
    const auto took = Clock::now() - arrived;
    for (std::size_t i = 0; i < receipts.size(); ++i) {
        const auto& receipt = receipts[i];
        counters_.conflicts.add(receipt.conflicts);
        counters_.note_message(receipt.outcome, traces[i].trigger, std::chrono::duration<double>(took).count());
        log::info("mllp.message",
                  !sent                 ? "stored, but the answer could not be sent; the same bytes get it again"
                  : receipt.ack.empty() ? "stored; the sender asked for no answer"
                                        : "answered",
                  {{"peer", peer_},
                   {"message_id", receipt.message_id},
                   {"code", receipt.code},
                   {"outcome", receipt.outcome},
                   {"appointment_id", receipt.appointment_id},
                   {"bytes", traces[i].size},
                   {"ack_bytes", receipt.ack.size()},
                   {"attempts", attempts},
                   {"shared", receipt.shared},
                   {"duration_ms", std::chrono::duration<double, std::milli>(took).count()}});
    }
    co_return sent;
}

Task<bool> Session::write(std::string_view bytes) {
    error_code ec;
    watchdog_.arm(house_->limits.write_timeout);
    co_await transport_.write(bytes, ec);
    watchdog_.disarm();
    co_return !ec;
}

// Somebody opened the wrong port in a browser or set the wrong one in a channel. Tell them in their own protocol.
Task<void> Session::refuse_http() {
    const std::string body = fmt::format(
        R"({{"type":"urn:radscheduler:problem:mllp_port","title":"Wrong port","status":400,"detail":"This port speaks MLLP, not HTTP. The HTTP API is on port {}.","code":"mllp_port","success":false,"error":"This port speaks MLLP, not HTTP."}})",
        house_->limits.http_port);
    const std::string reply = fmt::format("HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n"
                                          "Content-Length: {}\r\nConnection: close\r\n\r\n{}",
                                          body.size(), body);
    co_await write(reply);
}

void Session::reject(std::string_view reason, std::string_view sentence, Payload bytes, std::uint64_t offset) {
    log::warn(fmt::format("mllp.{}", reason), sentence,
              {{"peer", peer_}, {"offset", offset}, {"bytes", bytes.size()}, {"sha256", sha256_hex(bytes.view())}});
    keep(reason, std::move(bytes), offset);
}

void Session::keep(std::string_view reason, Payload bytes, std::uint64_t offset) {
    const auto size = bytes.size();
    house_->quarantine->keep({std::move(bytes), std::string(reason), peer_, offset, size, listener_->name});
}

} // namespace radscheduler::sidecar::mllp
