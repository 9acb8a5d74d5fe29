#include "mllp/intake.hpp"

#include <algorithm>
#include <array>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "db/array.hpp"

namespace radscheduler::sidecar::mllp {
namespace {

constexpr Milliseconds session_wait{1000}; // for a database session; then the connections look at their peers again

Receipt receipt_of(const db::Rows& rows, int row, std::size_t shared) {
    return {rows.text_or(row, 0, ""),
            rows.text_or(row, 2, ""),
            rows.text_or(row, 3, ""),
            rows.text_or(row, 4, ""),
            rows.bytes(row, 1),
            rows.text_or(row, 5, ""),
            shared};
}

db::DbError wrong_rows() {
    return {db::FailureKind::permanent, "", "", "the extension is not of this version"};
}

// Whether the sender alone decides for which site and how its messages are read.
bool is_plain(const Parcel& parcel) {
    return parcel.site.empty() && parcel.profile.empty();
}

} // namespace

Intake::Intake(asio::any_io_executor executor, BatchLimits limits, std::shared_ptr<db::Pool> pool, Counters& counters)
    : executor_(std::move(executor)), limits_(limits), pool_(std::move(pool)), counters_(counters), line_(limits) {}

Task<void> Intake::deliver(std::shared_ptr<Parcel> parcel) {
    WaitingLine::Entry entry;
    entry.ticket = next_ticket_++;
    entry.messages = parcel->messages.size();
    for (const auto& message : parcel->messages) {
        entry.bytes += message.size();
    }
    const auto key = parcel->site + '\n' + parcel->profile;
    auto group = std::find(groups_.begin(), groups_.end(), key);
    if (group == groups_.end()) {
        group = groups_.insert(groups_.end(), key);
    }
    entry.group = static_cast<std::size_t>(group - groups_.begin());
    entry.alone = parcel->alone;
    parcels_.emplace(entry.ticket, parcel);
    line_.push(entry);
    call_workers();
    bool done = false;
    while (!done) {
        done = co_await parcel->done.wait(std::chrono::hours(1));
    }
}

// One worker at a time is called: it takes what waits, and calls the next if something is left.
void Intake::call_workers() {
    if (!hungry_ && line_.may_work(Clock::now())) {
        hungry_ = true;
        const auto worker = line_.enter(Clock::now());
        asio::co_spawn(
            executor_, [self = shared_from_this(), worker] { return self->work(worker); }, asio::detached);
    }
    if (!line_.empty() && !watching_) {
        watching_ = true;
        asio::co_spawn(
            executor_, [self = shared_from_this()] { return self->watch_for_slow(); }, asio::detached);
    }
}

// While somebody waits, sees to it that sessions that wait for a lock do not hold up the rest.
Task<void> Intake::watch_for_slow() {
    asio::steady_timer timer(executor_);
    while (!line_.empty()) {
        error_code ec;
        timer.expires_after(limits_.slow);
        co_await timer.async_wait(into(ec));
        call_workers();
    }
    watching_ = false;
}

Intake::Parcels Intake::take() {
    Parcels parcels;
    for (const auto ticket : line_.take()) {
        auto found = parcels_.find(ticket);
        parcels.push_back(std::move(found->second));
        parcels_.erase(found);
    }
    return parcels;
}

Task<void> Intake::work(std::uint64_t worker) {
    while (true) {
        auto lease = co_await pool_->acquire(session_wait, db::WhenDown::wait);
        hungry_ = false;
        if (!lease) {
            while (!line_.empty()) {
                for (const auto& parcel : take()) {
                    parcel->error = db::DbError{db::FailureKind::transient, "", "", "no database session is free"};
                    parcel->done.notify();
                }
            }
            break;
        }
        const auto parcels = take();
        if (parcels.empty()) {
            break;
        }
        line_.leave(worker);
        worker = line_.enter(Clock::now());
        call_workers();
        if (parcels.size() == 1 && (parcels[0]->messages.size() == 1 || parcels[0]->alone)) {
            co_await singly(*lease, *parcels[0]);
        } else {
            co_await together(*lease, parcels);
        }
        for (const auto& parcel : parcels) {
            parcel->done.notify();
        }
        line_.leave(worker);
        if (!line_.may_work(Clock::now())) {
            co_return; // nobody waits, or others took its place while it was held up
        }
        worker = line_.enter(Clock::now());
    }
    line_.leave(worker);
    call_workers();
}

Task<void> Intake::together(db::Connection& connection, const Parcels& parcels) {
    db::BinaryArray messages(db::BinaryArray::Element::bytea);
    db::BinaryArray peers(db::BinaryArray::Element::text);
    std::size_t count = 0;
    for (const auto& parcel : parcels) {
        for (const auto& message : parcel->messages) {
            messages.add(message.view());
            peers.add(parcel->peer);
            ++count;
        }
    }
    const auto& first = *parcels[0]; // the others are of the same listener, or of one like it
    const std::array<db::Param, 4> params{db::Param::bytes(messages.finish()), db::Param::bytes(peers.finish()),
                                          db::Param::text(first.site), db::Param::text(first.profile)};
    const bool plain = is_plain(first);
    const auto statement = plain ? db::StatementId::ingest_batch : db::StatementId::ingest_batch_at;
    auto result = co_await connection.execute(statement, std::span(params).first(plain ? 2 : 4));
    if (const auto* rows = std::get_if<db::Rows>(&result);
        rows != nullptr && rows->count() == static_cast<int>(count)) {
        counters_.mllp_batches.add();
        counters_.mllp_batched.add(count);
        int row = 0;
        for (const auto& parcel : parcels) {
            for (std::size_t i = 0; i < parcel->messages.size(); ++i) {
                parcel->receipts.push_back(receipt_of(*rows, row++, count));
            }
        }
        co_return;
    }
    counters_.mllp_batches_failed.add();
    const auto* error = std::get_if<db::DbError>(&result);
    for (const auto& parcel : parcels) {
        if (connection.usable()) {
            co_await singly(connection, *parcel);
        } else {
            // What broke the session may be one of these messages: from now on each goes alone.
            parcel->error = error != nullptr ? *error : wrong_rows();
            parcel->error->kind = db::FailureKind::transient;
        }
    }
}

Task<void> Intake::singly(db::Connection& connection, Parcel& parcel) {
    for (const auto& message : parcel.messages) {
        const std::array<db::Param, 4> params{db::Param::bytes(message.view()), db::Param::text(parcel.peer),
                                              db::Param::text(parcel.site), db::Param::text(parcel.profile)};
        const bool plain = is_plain(parcel);
        const auto statement = plain ? db::StatementId::ingest : db::StatementId::ingest_at;
        auto result = co_await connection.execute(statement, std::span(params).first(plain ? 2 : 4));
        if (const auto* error = std::get_if<db::DbError>(&result)) {
            parcel.error = *error;
            co_return;
        }
        const auto& rows = std::get<db::Rows>(result);
        if (rows.count() != 1) {
            parcel.error = wrong_rows();
            co_return;
        }
        parcel.receipts.push_back(receipt_of(rows, 0, 1));
    }
}

} // namespace radscheduler::sidecar::mllp
