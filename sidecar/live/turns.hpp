// At most so many at a time, the others in the order they came: a thousand clients that resume at once must not take
// every connection to the database.
#pragma once

#include <list>

#include "net/asio.hpp"

namespace radscheduler::sidecar::live {

class Turns {
public:
    Turns(asio::any_io_executor executor, std::size_t at_a_time) : executor_(std::move(executor)), free_(at_a_time) {}

    // Gives the turn back when it ends.
    class Turn {
    public:
        explicit Turn(Turns& turns) : turns_(&turns) {}
        Turn(Turn&& other) noexcept : turns_(std::exchange(other.turns_, nullptr)) {}
        Turn& operator=(Turn&&) = delete;
        ~Turn() {
            if (turns_ != nullptr) {
                turns_->give_back();
            }
        }

    private:
        Turns* turns_;
    };

    Task<Turn> take() {
        if (free_ > 0) {
            --free_;
            co_return Turn(*this);
        }
        asio::steady_timer called(executor_, asio::steady_timer::time_point::max());
        waiting_.push_back(&called);
        error_code ignored;
        co_await called.async_wait(into(ignored)); // give_back() hands the turn on
        co_return Turn(*this);
    }

private:
    void give_back() {
        if (waiting_.empty()) {
            ++free_;
            return;
        }
        auto* next = waiting_.front();
        waiting_.pop_front();
        next->cancel();
    }

    asio::any_io_executor executor_;
    std::size_t free_;
    std::list<asio::steady_timer*> waiting_;
};

} // namespace radscheduler::sidecar::live
