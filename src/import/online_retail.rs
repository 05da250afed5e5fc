//! The "Online Retail" data set (Daqing Chen, UCI Machine Learning Repository, 2015): what its lines are and which
//! commands they become. Pure apart from reading the file; sending is the business of `import/sender.rs`.

pub(crate) mod catalogue;
pub(crate) mod file;
mod give_back;
pub(crate) mod keys;
pub(crate) mod mapping;
mod order;
mod row;
mod sales;
mod stock;

#[cfg(test)]
mod mapping_tests;
