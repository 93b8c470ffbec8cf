"""Which column of a file is which, by what people call them."""

import re
from collections.abc import Mapping, Sequence

from services.scoring.backtest.errors import BacktestError

_NAMES = """
customer:
  customer customerid customerno customernumber customercode customerkey clientid client
  cust custid userid user household householdid householdkey memberid member memberno buyer
  buyerid account accountid accountno cardid cardno shopper shopperid contact contactid
  visitorid email id 客户 客户编号 客户id 会员 会员号 顾客 用户 用户id
time:
  time timestamp datetime purchasetime purchasedat purchasedate transactiontimestamp
  transactiontime transactiondate transdate invoicedate ordertime orderdate orderedat
  createdat created date day purchased bought soldat saledate at when t 时间 购买时间 下单时间 交易时间
  订单时间 日期 购买日期 交易日期
amount:
  amount salesvalue amountpaid totalamount netamount grossamount total totalprice totalvalue
  linetotal ordertotal ordervalue revenue sales sale spend spent value dollarvalue money
  paid payment turnover transactionvalue transactionamount purchaseamount monetary
  monetaryvalue netsales 金额 总金额 销售额 实付金额 消费金额 支付金额
category:
  category productcategory itemcategory categoryname categoryid cat department dept
  productgroup productline family class 类别 品类 分类 商品类别
product:
  product productid item itemid sku stockcode article articleid articleno productcode
  productname itemcode upc ean isbn asin description 商品 产品 商品编号 产品编号 商品名称
quantity:
  quantity qty units unit count numberofcds numberofitems pieces 数量 件数
currency:
  currency currencycode curr ccy iso4217 币种 货币
price:
  unitprice price itemprice priceperunit listprice 单价 价格
"""


def _aliases(text: str) -> dict[str, list[str]]:
    aliases: dict[str, list[str]] = {}
    role = ""
    for word in text.split():
        if word.endswith(":"):
            role = word[:-1]
        else:
            aliases.setdefault(role, []).append(word)
    return aliases


ALIASES: Mapping[str, Sequence[str]] = _aliases(_NAMES)
"""Names of a column without case, blanks and signs; the first that is there is taken."""


def _plain(name: str) -> str:
    """`Customer ID` and `customer_id` alike."""
    return re.sub(r"[^\w]|_", "", name).lower()


def resolve(headings: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """The heading for each column that is there. Raises BacktestError for what is needed."""
    found: dict[str, str] = {}
    for role, name in given.items():
        match = [heading for heading in headings if heading.strip() == name.strip()]
        if not match:
            raise BacktestError(f"There is no column {name!r}; there are {_list(headings)}.")
        found[role] = match[0]
    plain = {_plain(heading): heading for heading in reversed(headings)}
    for role, aliases in ALIASES.items():
        taken = set(found.values())
        names = (plain[alias] for alias in aliases if alias in plain)
        free = next((name for name in names if name not in taken), None)
        if role not in found and free is not None:
            found[role] = free
    if not {"amount", "quantity"} & found.keys() and "price" in found:
        found["amount"] = found.pop("price")  # of the whole line, where nothing multiplies it
    for role in ("customer", "time", "amount"):
        if role not in found and not (role == "amount" and {"price", "quantity"} <= found.keys()):
            raise BacktestError(
                f"No column looks like the {role}; there are {_list(headings)}: "
                f"name it with --{role}-column."
            )
    return found


def _list(headings: Sequence[str]) -> str:
    return ", ".join(repr(heading) for heading in headings[:20]) or "none"
