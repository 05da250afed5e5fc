//! Payments, plainly. Several captures or refunds of one command go side by side: all decided, then all money taken,
//! then all money given.

use domain::payment::{CaptureMode, OperationCause, Payer, PaymentCommand};

use super::{Answer, Model, Payment, Sum, refuse_if, sum};

/// A capture or refund to be made: the payment, the operation's name, how much (all that is left where left out).
pub(super) type Operation = (String, String, Option<Sum>);

impl Payment {
    pub(crate) fn capturable(&self) -> i128 {
        self.authorized - self.captured - self.voided
    }

    pub(crate) fn refundable(&self) -> i128 {
        self.captured - self.refunded
    }

    /// The status in words, as the rules name it.
    pub(crate) fn status(&self) -> &'static str {
        match (self.refunded > 0, self.captured > 0, self.voided > 0) {
            (true, _, _) if self.refunded == self.captured => "refunded",
            (true, _, _) => "partially_refunded",
            (_, true, _) if self.capturable() == 0 => "captured",
            (_, true, _) => "partially_captured",
            (_, _, true) => "voided",
            _ => "authorized",
        }
    }

    fn check(&self, amount: &Sum, left: i128, exceeded: &'static str) -> Answer {
        refuse_if(amount.1 != self.currency, "currency_mismatch")?;
        refuse_if(amount.0 <= 0, "amount_not_positive")?;
        refuse_if(amount.0 > left, exceeded)
    }

    fn first(&mut self, kind: &'static str, cause: OperationCause, name: &str) -> Answer {
        refuse_if(!self.done.insert((kind, cause, name.to_owned())), "duplicate_operation")
    }
}

impl Model {
    pub(super) fn ask_payment(&mut self, id: &str, command: &PaymentCommand) -> Answer {
        let one = |name: &str, amount: &Option<_>| vec![(id.to_owned(), name.to_owned(), amount.map(sum))];
        match command {
            PaymentCommand::Request { order_id, payer, payee_account_id, amount, capture, .. } => {
                let Payer::Account(payer) = payer;
                let (payee, amount) = (payee_account_id.as_str(), sum(*amount));
                let order = order_id.as_ref().map(|order| order.as_str());
                self.request(id, order, payer.as_str(), payee, amount, *capture)
            }
            PaymentCommand::Capture { capture_id, cause, amount } => {
                self.payments.get(id).ok_or("payment_not_found")?;
                self.capture(*cause, one(capture_id.as_str(), amount))
            }
            PaymentCommand::Void => self.void(id),
            PaymentCommand::Refund { refund_id, cause, amount } => {
                self.payments.get(id).ok_or("payment_not_found")?;
                let taken = self.refund(*cause, one(refund_id.as_str(), amount))?;
                self.give_back(taken)
            }
            follow_up => panic!("never asked from outside: {follow_up:?}"),
        }
    }

    fn request(
        &mut self,
        id: &str,
        order: Option<&str>,
        payer: &str,
        payee: &str,
        amount: Sum,
        mode: CaptureMode,
    ) -> Answer {
        refuse_if(self.payments.contains_key(id), "payment_exists")?;
        self.may_request(payer, payee, &amount)?;
        self.hold(payer, id, &amount, Some(id))?;
        let mut capture_now = if mode == CaptureMode::Automatic { amount.0 } else { 0 };
        if let Some(order_id) = order {
            let order = self.orders.get(order_id).ok_or("order_not_found")?;
            refuse_if(order.currency != amount.1, "currency_mismatch")?;
            refuse_if(!["placed", "completed"].contains(&order.status), "invalid_order_state")?;
            refuse_if(amount.0 > self.outstanding(order_id), "payment_exceeds_outstanding")?;
            if mode == CaptureMode::OnShipment && !order.shipments.is_empty() {
                capture_now = self.worth_shipped_unpaid(order_id, &[]).clamp(0, amount.0);
            }
            self.orders.get_mut(order_id).unwrap().payments.push(id.to_owned());
        }
        let payment = Payment {
            order: order.map(str::to_owned),
            payer: payer.to_owned(),
            payee: payee.to_owned(),
            currency: amount.1.clone(),
            mode,
            authorized: amount.0,
            captured: 0,
            voided: 0,
            refunded: 0,
            done: [].into(),
        };
        self.payments.insert(id.to_owned(), payment);
        if capture_now > 0 {
            let whole = (id.to_owned(), id.to_owned(), Some((capture_now, amount.1)));
            self.capture(OperationCause::Automatic, vec![whole])?;
        }
        Ok(())
    }

    /// What a payment itself has to say, before any account is asked.
    pub(super) fn may_request(&self, payer: &str, payee: &str, amount: &Sum) -> Answer {
        refuse_if(amount.0 <= 0, "amount_not_positive")?;
        refuse_if(payer == payee, "same_account")?;
        let payee_currency = &self.accounts.get(payee).ok_or("account_not_found")?.currency;
        refuse_if(*payee_currency != amount.1, "currency_mismatch")
    }

    pub(super) fn capture(&mut self, cause: OperationCause, operations: Vec<Operation>) -> Answer {
        let mut taken = Vec::new();
        for (id, name, amount) in operations {
            let payment = self.payments.get_mut(&id).unwrap();
            payment.first("capture", cause, &name)?;
            refuse_if(payment.capturable() == 0, "payment_not_capturable")?;
            let amount = amount.unwrap_or((payment.capturable(), payment.currency.clone()));
            payment.check(&amount, payment.capturable(), "capture_exceeds_authorized")?;
            payment.captured += amount.0;
            taken.push((id, payment.payer.clone(), payment.payee.clone(), amount));
        }
        for (id, payer, payee, amount) in &taken {
            self.take_hold(payer, id, Some(amount.clone()), Some(payee), Some(id))?;
        }
        taken.iter().try_for_each(|(_, _, payee, amount)| self.receive(payee, amount))
    }

    pub(super) fn void(&mut self, id: &str) -> Answer {
        let payment = self.payments.get_mut(id).ok_or("payment_not_found")?;
        refuse_if(payment.capturable() == 0, "payment_not_voidable")?;
        payment.voided += payment.capturable();
        let payer = payment.payer.clone();
        self.drop_hold(&payer, id);
        Ok(())
    }

    /// Takes refunds off the payees; gives what is to be given to whom.
    pub(super) fn refund(&mut self, cause: OperationCause, operations: Vec<Operation>) -> Answer<Vec<(String, Sum)>> {
        let mut owed = Vec::new();
        for (id, name, amount) in operations {
            let payment = self.payments.get_mut(&id).unwrap();
            payment.first("refund", cause, &name)?;
            refuse_if(payment.refundable() == 0, "refund_exceeds_captured")?;
            let amount = amount.unwrap_or((payment.refundable(), payment.currency.clone()));
            payment.check(&amount, payment.refundable(), "refund_exceeds_captured")?;
            payment.refunded += amount.0;
            owed.push((payment.payee.clone(), payment.payer.clone(), amount));
        }
        for (payee, _, amount) in &owed {
            self.spend(payee, amount)?;
        }
        Ok(owed.into_iter().map(|(_, payer, amount)| (payer, amount)).collect())
    }

    pub(super) fn give_back(&mut self, owed: Vec<(String, Sum)>) -> Answer {
        owed.into_iter().try_for_each(|(payer, amount)| self.receive(&payer, &amount))
    }
}
