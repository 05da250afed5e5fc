//! A line of the file, read into the words of the field. What it becomes is decided in `mapping.rs`.

use chrono::{DateTime, NaiveDateTime, Utc};
use csv::{ByteRecord, Reader};
use domain::ids::{CustomerId, ID_BYTES_MAX, ProductId};
use domain::money::{Amount, AmountOverflow};
use domain::text::Text;

/// What can be wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unmappable {
    #[error("the column {column} is empty")]
    Empty { column: &'static str },
    #[error("the line has fewer columns than the header: {column} is missing")]
    Missing { column: &'static str },
    #[error("{column} {text:?} is longer than {ID_BYTES_MAX} characters with what is put before it")]
    TooLong { column: &'static str, text: String },
    #[error("Quantity {text:?} is not a whole number")]
    Quantity { text: String },
    #[error("Quantity is 0: nothing was sold, returned or corrected")]
    NoQuantity,
    #[error("UnitPrice {text:?} is not a price in whole pence")]
    Price { text: String },
    #[error("UnitPrice {text:?} is negative, for which there is no rule")]
    NegativePrice { text: String },
    #[error("InvoiceDate {text:?} is not a date such as 2010-12-01T08:26:00")]
    Date { text: String },
    #[error("price × quantity is beyond ±9007199254740991 pence")]
    Overflow,
}

impl From<AmountOverflow> for Unmappable {
    fn from(_: AmountOverflow) -> Self {
        Self::Overflow
    }
}

/// A line that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its number in the file; the header is line 1.
    pub line: u64,
    /// The invoice's number; a cancellation's begins with `C`.
    pub invoice: String,
    /// The stock code.
    pub product_id: ProductId,
    /// What it is called there, if anything.
    pub description: Option<Text>,
    /// How many; below zero where goods or money go back.
    pub quantity: i64,
    /// When, in UTC.
    pub invoiced_at: DateTime<Utc>,
    /// The price of one, in pence; not negative.
    pub price: Amount,
    /// `cust-<CustomerID>`, or `guest-<InvoiceNo>` where there is none.
    pub customer_id: CustomerId,
}

impl Row {
    /// Whether it takes something back.
    pub(crate) fn cancels(&self) -> bool {
        self.invoice.starts_with('C')
    }
}

/// Where the columns are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Columns {
    invoice: usize,
    code: usize,
    description: usize,
    quantity: usize,
    date: usize,
    price: usize,
    customer: usize,
}

/// The file is not the data set.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("the file has no column {column}; its columns are: {found}")]
    Column { column: &'static str, found: String },
    #[error("the header cannot be read: {0}")]
    Csv(#[from] csv::Error),
}

impl Columns {
    /// Finds the columns by their names in the header.
    pub(crate) fn find<R: std::io::Read>(reader: &mut Reader<R>) -> Result<Self, HeaderError> {
        let header = reader.byte_headers()?;
        let names: Vec<_> = header.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
        let find = |column: &'static str| {
            let at = names.iter().position(|name| name.trim_start_matches('\u{feff}') == column);
            at.ok_or_else(|| HeaderError::Column { column, found: names.join(", ") })
        };
        Ok(Self {
            invoice: find("InvoiceNo")?,
            code: find("StockCode")?,
            description: find("Description")?,
            quantity: find("Quantity")?,
            date: find("InvoiceDate")?,
            price: find("UnitPrice")?,
            customer: find("CustomerID")?,
        })
    }

    /// The invoice that a record belongs to, also where the rest of it cannot be read.
    pub(crate) fn invoice(&self, record: &ByteRecord) -> String {
        text(record, self.invoice, "InvoiceNo").unwrap_or_default()
    }

    /// Reads a record.
    pub(crate) fn read(&self, record: &ByteRecord) -> Result<Row, Unmappable> {
        let invoice = required(record, self.invoice, "InvoiceNo")?;
        if invoice.len() > ID_BYTES_MAX / 2 {
            return Err(Unmappable::TooLong { column: "InvoiceNo", text: invoice });
        }
        let customer = text(record, self.customer, "CustomerID")?;
        let customer = if customer.is_empty() { format!("guest-{invoice}") } else { format!("cust-{customer}") };
        // `acct-` is put before it.
        let customer_id = CustomerId::new(&as_id(&customer)).ok().filter(|id| id.as_str().len() <= ID_BYTES_MAX - 5);
        let customer_id = customer_id.ok_or(Unmappable::TooLong { column: "CustomerID", text: customer })?;
        let code = required(record, self.code, "StockCode")?;
        let product_id = ProductId::new(&as_id(&code));
        let product_id = product_id.map_err(|_| Unmappable::TooLong { column: "StockCode", text: code })?;
        let quantity = required(record, self.quantity, "Quantity")?;
        let quantity = quantity.parse().map_err(|_| Unmappable::Quantity { text: quantity })?;
        if quantity == 0 {
            return Err(Unmappable::NoQuantity);
        }
        let price = pence(&required(record, self.price, "UnitPrice")?)?;
        price.times_ratio(quantity, 1)?;
        let date = required(record, self.date, "InvoiceDate")?;
        let invoiced_at = NaiveDateTime::parse_from_str(&date, "%Y-%m-%dT%H:%M:%S");
        let invoiced_at = invoiced_at.map_err(|_| Unmappable::Date { text: date })?.and_utc();
        let description = Text::new(&text(record, self.description, "Description")?).ok();
        let line = record.position().map_or(0, csv::Position::line);
        Ok(Row { line, invoice: as_id(&invoice), product_id, description, quantity, invoiced_at, price, customer_id })
    }
}

fn text(record: &ByteRecord, at: usize, column: &'static str) -> Result<String, Unmappable> {
    let field = record.get(at).ok_or(Unmappable::Missing { column })?;
    Ok(String::from_utf8_lossy(field).trim().to_owned())
}

fn required(record: &ByteRecord, at: usize, column: &'static str) -> Result<String, Unmappable> {
    let text = text(record, at, column)?;
    if text.is_empty() { Err(Unmappable::Empty { column }) } else { Ok(text) }
}

/// What an identifier cannot have (the blank in the code `BANK CHARGES`) becomes `_`.
fn as_id(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
    text.chars().map(|c| if allowed(c) { c } else { '_' }).collect()
}

/// Pounds with up to two digits after the point, as pence. Exact: further digits must be zeros.
fn pence(text: &str) -> Result<Amount, Unmappable> {
    let not_a_price = || Unmappable::Price { text: text.to_owned() };
    if text.starts_with('-') {
        return Err(Unmappable::NegativePrice { text: text.to_owned() });
    }
    let (pounds, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if pounds.is_empty() || !digits(pounds) || !digits(rest) {
        return Err(not_a_price());
    }
    let (cents, beyond) = rest.split_at(rest.len().min(2));
    if beyond.bytes().any(|b| b != b'0') {
        return Err(not_a_price());
    }
    let minor_units: i64 = format!("{pounds}{cents:0<2}").parse().map_err(|_| Unmappable::Overflow)?;
    Ok(Amount::new(minor_units)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

    fn read(line: &str) -> Result<Row, Unmappable> {
        let file = format!("{HEADER}{line}\n");
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file.as_bytes());
        let columns = Columns::find(&mut reader).unwrap();
        let mut record = ByteRecord::new();
        assert!(reader.read_byte_record(&mut record).unwrap());
        columns.read(&record)
    }

    #[test]
    fn a_line_is_read_into_the_words_of_the_field() {
        let row =
            read("536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01T08:26:00,2.55,17850,United Kingdom");
        let expected = Row {
            line: 2,
            invoice: "536365".to_owned(),
            product_id: ProductId::new("85123A").unwrap(),
            description: Some(Text::new("WHITE HANGING HEART T-LIGHT HOLDER").unwrap()),
            quantity: 6,
            invoiced_at: "2010-12-01T08:26:00Z".parse().unwrap(),
            price: Amount::new(255).unwrap(),
            customer_id: CustomerId::new("cust-17850").unwrap(),
        };
        assert_eq!(row, Ok(expected));
    }

    #[test]
    fn a_line_without_customer_or_description_is_a_guests() {
        let row = read("C536391,BANK CHARGES,,-1,2010-12-01T10:24:00,37.8,,United Kingdom").unwrap();
        assert_eq!(row.customer_id.as_str(), "guest-C536391");
        assert_eq!((row.product_id.as_str(), row.description.clone()), ("BANK_CHARGES", None));
        assert_eq!((row.price.minor_units(), row.quantity, row.cancels()), (3780, -1, true));
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_reason() {
        let cases = [
            (",85123A,x,6,2010-12-01T08:26:00,2.55,17850,UK", "the column InvoiceNo is empty"),
            ("1,85123A,x,6", "the line has fewer columns than the header: CustomerID is missing"),
            ("1,85123A,x,6.5,2010-12-01T08:26:00,2.55,17850,UK", "Quantity \"6.5\" is not a whole number"),
            ("1,85123A,x,0,2010-12-01T08:26:00,2.55,1,UK", "Quantity is 0: nothing was sold, returned or corrected"),
            ("1,B,x,1,2010-12-01T08:26:00,-11.06,1,UK", "UnitPrice \"-11.06\" is negative, for which there is no rule"),
            ("1,B,x,1,2010-12-01T08:26:00,0.001,1,UK", "UnitPrice \"0.001\" is not a price in whole pence"),
            ("1,B,x,1,2010-12-01T08:26:00,1e3,1,UK", "UnitPrice \"1e3\" is not a price in whole pence"),
            (
                "1,B,x,1,12/1/2010 8:26,1,1,UK",
                "InvoiceDate \"12/1/2010 8:26\" is not a date such as 2010-12-01T08:26:00",
            ),
            ("1,B,x,9007199254740991,2010-12-01T08:26:00,2,1,UK", "price × quantity is beyond ±9007199254740991 pence"),
        ];
        for (line, reason) in cases {
            assert_eq!(read(line).unwrap_err().to_string(), reason, "{line}");
        }
    }

    #[test]
    fn a_price_is_read_exactly() {
        let prices = ["0", "0.0", "0.1", "2.55", "2.550", "13541.33", "7"].map(|p| pence(p).unwrap().minor_units());
        assert_eq!(prices, [0, 0, 10, 255, 255, 1_354_133, 700]);
    }

    #[test]
    fn a_file_of_another_kind_is_refused_by_the_missing_column() {
        let mut reader = csv::Reader::from_reader("InvoiceNo,StockCode\n".as_bytes());
        let error = Columns::find(&mut reader).unwrap_err();
        assert_eq!(error.to_string(), "the file has no column Description; its columns are: InvoiceNo, StockCode");
    }
}
