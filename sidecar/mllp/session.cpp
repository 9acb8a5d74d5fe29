#include "mllp/session.hpp"

#include <array>
#include <deque>

#include <boost/asio/write.hpp>
#include <spdlog/fmt/fmt.h>

#include "mllp/frame_writer.hpp"
#include "obs/log.hpp"
#include "obs/text.hpp"

namespace radscheduler::sidecar::mllp {
namespace {

constexpr std::size_t chunk_size = 64U << 10U;
constexpr Milliseconds first_retry{100};
constexpr Milliseconds longest_retry{2000};
constexpr Milliseconds session_wait{1000}; // for a database session; then the peer is looked at again
constexpr Milliseconds write_timeout{30'000};
constexpr Milliseconds linger{2000};
constexpr Milliseconds linger_when_stopping{300};

} // namespace

Session::Session(tcp::socket socket, std::shared_ptr<db::Pool> pool, SessionLimits limits, std::uint16_t http_port,
                 Counters& counters)
    : socket_(std::move(socket)), pool_(std::move(pool)), limits_(limits), http_port_(http_port), counters_(counters),
      peer_(peer_name(socket_)), reader_(limits.max_frame), watchdog_(socket_.get_executor(),
                                                                      [this] {
                                                                          error_code ignored;
                                                                          socket_.cancel(ignored);
                                                                      }),
      wake_(socket_.get_executor()) {}

void Session::request_stop() {
    stopping_ = true;
    wake_.notify();
    if (reading_) {
        error_code ignored;
        socket_.cancel(ignored);
    }
}

Task<void> Session::run() {
    std::vector<std::uint8_t> chunk(chunk_size);
    auto next = Next::go_on;
    std::string_view reason = "the peer closed";
    while (next == Next::go_on && !stopping_) {
        error_code ec;
        watchdog_.arm(reader_.in_frame() ? limits_.frame_timeout : limits_.idle_timeout);
        reading_ = true;
        const auto size = co_await socket_.async_read_some(asio::buffer(chunk), into(ec));
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
        auto events = reader_.feed({chunk.data(), size});
        counters_.mllp_junk_bytes.add(reader_.stats().junk_bytes - counted_.junk_bytes);
        counters_.mllp_empty_frames.add(reader_.stats().empty_frames - counted_.empty_frames);
        counted_ = reader_.stats();
        for (auto& event : events) {
            next = co_await handle(std::move(event));
            if (next == Next::close || stopping_) {
                reason = stopping_ ? "shutting down" : "closed by us";
                break;
            }
        }
    }
    if (reader_.in_frame() && reader_.pending() > 0) {
        counters_.mllp_half_frames.add();
        report_dropped("mllp.half_frame",
                       "the connection ended inside a message; it was not processed and not answered",
                       reader_.take_pending());
    }
    log::info("mllp.closed", reason, {{"peer", peer_}, {"junk_bytes", counted_.junk_bytes}});
    // What the peer has already sent on must not turn our close into a reset that overtakes the last answers.
    co_await linger_close(socket_, stopping_ ? linger_when_stopping : linger);
}

Task<Session::Next> Session::handle(FrameEvent event) {
    switch (event.kind) {
    case FrameEvent::Kind::message:
        co_return co_await deliver(std::move(event.bytes));
    case FrameEvent::Kind::half_frame:
        counters_.mllp_half_frames.add();
        report_dropped("mllp.half_frame",
                       "a new message began inside another; the first part was dropped and not answered", event.bytes);
        co_return Next::go_on;
    case FrameEvent::Kind::outside_frame:
        log::warn("mllp.outside_frame",
                  "the peer sends bytes outside 0x0B ... 0x1C 0x0D; they are skipped. Check that the sender uses MLLP "
                  "framing",
                  {{"peer", peer_}});
        co_return Next::go_on;
    case FrameEvent::Kind::too_large:
        counters_.mllp_too_large.add();
        report_dropped("mllp.too_large",
                       "a message is larger than RADSCHED_MLLP_MAX_FRAME; the connection is closed without an answer. "
                       "Raise the limit if such messages are expected (size and hash are those of the part kept)",
                       event.bytes);
        break;
    case FrameEvent::Kind::speaks_http:
        counters_.mllp_not_mllp.add();
        log::warn("mllp.not_mllp", "the peer speaks HTTP on the MLLP port; closed",
                  {{"peer", peer_}, {"http_port", http_port_}});
        co_await refuse_http();
        break;
    case FrameEvent::Kind::speaks_tls:
        counters_.mllp_not_mllp.add();
        log::warn("mllp.not_mllp", "the peer speaks TLS on the plain MLLP port; closed. Switch TLS off in the sender",
                  {{"peer", peer_}});
        break;
    }
    co_return Next::close;
}

Task<Session::Next> Session::deliver(Payload message) {
    counters_.mllp_messages.add();
    const auto arrived = Clock::now();
    Delivery delivery(first_retry, longest_retry);
    auto event = Delivery::Event::start;
    while (true) {
        const auto was_held = delivery.held();
        const auto step = delivery.resume(event, random_number());
        if (delivery.held() && !was_held) {
            counters_.mllp_held.add();
        }
        if (step.action == Delivery::Action::attempt) {
            event = co_await attempt(message, delivery.attempts() == 1);
        } else if (step.action == Delivery::Action::sleep) {
            co_await wake_.wait(step.delay);
            event = stopping_                  ? Delivery::Event::shutting_down
                    : peer_has_closed(socket_) ? Delivery::Event::peer_closed
                                               : Delivery::Event::slept;
        } else if (step.action == Delivery::Action::answer) {
            co_return co_await answer(arrived, message.size(), delivery);
        } else {
            counters_.mllp_unanswered.add();
            log::warn("mllp.unanswered", "a message was not answered; the sender keeps it and has to send it again",
                      {{"peer", peer_},
                       {"bytes", message.size()},
                       {"sha256", sha256_hex(message.view())},
                       {"attempts", delivery.attempts()},
                       {"duration_ms", since(arrived).count()}});
            co_return Next::close;
        }
    }
}

Task<Delivery::Event> Session::attempt(const Payload& message, bool first_try) {
    const std::array<db::Param, 2> params{db::Param::bytes(message.view()), db::Param::text(peer_)};
    const db::RunOptions options{session_wait, db::WhenDown::wait, Milliseconds(0)};
    auto result = co_await db::run(pool_, db::StatementId::ingest, params, options);
    if (const auto* error = std::get_if<db::DbError>(&result)) {
        const bool passing = error->kind == db::FailureKind::transient;
        log::write(
            !passing    ? log::Level::error
            : first_try ? log::Level::warn
                        : log::Level::debug,
            "mllp.ingest_failed",
            passing ? "the database cannot take a message now; it is held, unanswered, and tried again"
                    : "the database refused a message unexpectedly; the connection is closed without an answer. "
                      "Look up the SQLSTATE in the PostgreSQL log of this moment",
            {{"peer", peer_}, {"sqlstate", error->sqlstate}, {"place", error->place}, {"reason", error->reason}});
        co_return passing ? Delivery::Event::transient_failure : Delivery::Event::permanent_failure;
    }
    const auto& rows = std::get<db::Rows>(result);
    if (rows.count() != 1) {
        log::error("mllp.ingest_failed", "radscheduler.ingest() returned no row; is the extension of this version?",
                   {{"peer", peer_}});
        co_return Delivery::Event::permanent_failure;
    }
    message_id_ = rows.text_or(0, 0, "");
    ack_ = rows.bytes(0, 1);
    code_ = rows.text_or(0, 2, "");
    outcome_ = rows.text_or(0, 3, "");
    appointment_id_ = rows.text_or(0, 4, "");
    co_return Delivery::Event::committed;
}

Task<Session::Next> Session::answer(Clock::time_point arrived, std::size_t bytes, const Delivery& delivery) {
    const bool positive = code_ == "AA" || code_ == "CA";
    // Enhanced mode may ask for silence; then there is nothing to send, nor to count.
    bool sent = true;
    if (!ack_.empty()) {
        (positive ? counters_.mllp_acks_positive : counters_.mllp_acks_negative).add();
        const auto frame = framed(ack_.view());
        sent = co_await write(frame);
    }
    log::info("mllp.message",
              !sent          ? "stored, but the answer could not be sent; the same bytes get it again"
              : ack_.empty() ? "stored; the sender asked for no answer"
                             : "answered",
              {{"peer", peer_},
               {"message_id", message_id_},
               {"code", code_},
               {"outcome", outcome_},
               {"appointment_id", appointment_id_},
               {"bytes", bytes},
               {"ack_bytes", ack_.size()},
               {"attempts", delivery.attempts()},
               {"duration_ms", std::chrono::duration<double, std::milli>(Clock::now() - arrived).count()}});
    co_return sent ? Next::go_on : Next::close;
}

Task<bool> Session::write(std::string_view bytes) {
    error_code ec;
    watchdog_.arm(write_timeout);
    co_await asio::async_write(socket_, asio::buffer(bytes.data(), bytes.size()), into(ec));
    watchdog_.disarm();
    co_return !ec;
}

// Somebody opened the wrong port in a browser or set the wrong one in a channel. Tell them in their own protocol.
Task<void> Session::refuse_http() {
    const std::string body = fmt::format(
        R"({{"type":"urn:radscheduler:problem:mllp_port","title":"Wrong port","status":400,"detail":"This port speaks MLLP, not HTTP. The HTTP API is on port {}.","code":"mllp_port","success":false,"error":"This port speaks MLLP, not HTTP."}})",
        http_port_);
    const std::string reply = fmt::format("HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n"
                                          "Content-Length: {}\r\nConnection: close\r\n\r\n{}",
                                          body.size(), body);
    co_await write(reply);
}

void Session::report_dropped(std::string_view event, std::string_view sentence, const Payload& bytes) const {
    log::warn(event, sentence, {{"peer", peer_}, {"bytes", bytes.size()}, {"sha256", sha256_hex(bytes.view())}});
}

} // namespace radscheduler::sidecar::mllp
