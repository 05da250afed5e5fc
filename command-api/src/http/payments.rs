//! The commands of payments, as clients write them.

use domain::command::Command;
use domain::ids::{AccountId, OperationId, OrderId, PaymentId};
use domain::money::Money;
use domain::payment::{CaptureMode, OperationCause, Payer, PaymentCommand};

use super::definition::commands;

commands! {
    /// Asks for a payment: sets the money aside on the payer's account.
    RequestPayment = "request_payment" {
        /// What the payment is called; made where left out.
        payment_id: PaymentId, generated("pay_");
        /// The order that it pays, if any.
        order_id: OrderId, optional;
        /// Who pays.
        payer: Payer, required;
        /// Who is paid.
        payee_account_id: AccountId = "acct_shop", required;
        /// How much.
        amount: Money, required;
        /// When the money is taken: at once, as the order's goods are shipped, or when asked.
        capture: CaptureMode, required;
    } => Command::Payment(payment_id, PaymentCommand::Request {
        order_id,
        payer,
        payee_account_id,
        amount,
        capture,
        payee_currency: None,
    });

    /// Takes money that was set aside.
    CapturePayment = "capture_payment" {
        /// The payment.
        payment_id: PaymentId, path;
        /// What the capture is called within its payment; made where left out.
        capture_id: OperationId = "cap_1", generated("cap_");
        /// How much; all that is left to capture where left out.
        amount: Money, optional;
    } => Command::Payment(payment_id, PaymentCommand::Capture { capture_id, cause: OperationCause::Request, amount });

    /// Lets go what is set aside and not captured.
    VoidPayment = "void_payment" {
        /// The payment.
        payment_id: PaymentId, path;
    } => Command::Payment(payment_id, PaymentCommand::Void);

    /// Gives captured money back to the payer.
    RefundPayment = "refund_payment" {
        /// The payment.
        payment_id: PaymentId, path;
        /// What the refund is called within its payment; made where left out.
        refund_id: OperationId = "ref_1", generated("ref_");
        /// How much; all that is left to refund where left out.
        amount: Money, optional;
    } => Command::Payment(payment_id, PaymentCommand::Refund { refund_id, cause: OperationCause::Request, amount });
}
