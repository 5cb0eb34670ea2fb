"""The words of refusals in many languages: who writes no English says the same things."""

from __future__ import annotations

import pytest

from mailout.config.bounce_rules import standard_rules
from mailout.core.inbound.category import Category
from mailout.core.inbound.reason import explain_refusal

PHRASES = {
    "no-mailbox": """
Der Empfänger existiert nicht
Benutzer unbekannt
Das Postfach gibt es nicht
Diese E-Mail-Adresse ist uns nicht bekannt
Kein solcher Benutzer
Utilisateur inconnu
Cette adresse n'existe pas
Destinataire introuvable
Adresse inconnue
Ce compte n'existe pas
Usuario desconocido
La dirección de correo no existe
No existe el buzón
Cuenta inexistente
El destinatario no se encuentra
Utente sconosciuto
La casella non esiste
Indirizzo inesistente
Destinatario sconosciuto
Usuário inexistente
O endereço não existe
Caixa postal não encontrada
Destinatário desconhecido
Gebruiker onbekend
Het e-mailadres bestaat niet
Postvak niet gevonden
Onbekende ontvanger
Użytkownik nieznany
Adres nie istnieje
Nie ma takiej skrzynki
Nie znaleziono odbiorcy
nie ma takiego użytkownika
Uživatel neexistuje
Neznámý uživatel
Schránka neexistuje
Používateľ neexistuje
Användaren finns inte
Okänd mottagare
Brugeren findes ikke
Ukendt modtager
Brukeren finnes ikke
Käyttäjää ei löydy
Tuntematon vastaanottaja
A felhasználó nem létezik
Ismeretlen címzett
Utilizator necunoscut
Adresa nu există
Άγνωστος χρήστης
Ο παραλήπτης δεν υπάρχει
Kullanıcı bulunamadı
Böyle bir adres yok
Нет такого пользователя
Такого адреса не существует
Получатель не найден
Почтовый ящик не существует
Неизвестный пользователь
Користувача не знайдено
Такої адреси не існує
Непознат потребител
Корисник не постоји
收件人地址不存在
该用户不存在
找不到收件人
邮箱帐号不存在
收件者不存在
查無此收件人
宛先のユーザーが存在しません
メールアドレスが見つかりません
該当するユーザーはいません
존재하지 않는 사용자입니다
수신자를 찾을 수 없습니다
없는 메일 주소입니다
المستخدم غير معروف
عنوان البريد غير موجود
המשתמש לא קיים
הכתובת לא נמצאה
کاربر وجود ندارد
Người nhận không tồn tại
ไม่พบผู้ใช้
Pengguna tidak ditemukan
Пайдаланушы табылмады
    """,
    "mailbox-full": """
Postfach voll
Der Speicherplatz des Empfängers ist erschöpft
La boîte aux lettres est pleine
Quota dépassé
Boite pleine
El buzón está lleno
Cuota excedida
La casella è piena
Quota superata
Caixa de correio cheia
Cota excedida
Postvak vol
Het quotum is overschreden
Skrzynka jest pełna
Przekroczony limit skrzynki
Skrzynka odbiorcy jest przepelniona
Schránka je plná
Překročena kvóta
Schránka je plná
Brevlådan är full
Postkassen er fuld
Postboksen er full
Postilaatikko on täynnä
A postafiók megtelt
Căsuța poștală este plină
Το γραμματοκιβώτιο είναι γεμάτο
Posta kutusu dolu
Ящик переполнен
Превышена квота
Недостаточно места в ящике
Скриньку переповнено
Поштова скринька заповнена
邮箱已满
收件人邮箱空间不足
信箱容量已滿
メールボックスが一杯です
容量制限を超えています
메일함이 가득 찼습니다
용량이 초과되었습니다
صندوق البريد ممتلئ
תיבת הדואר מלאה
Hộp thư đã đầy
กล่องจดหมายเต็ม
Kotak surat penuh
Пошта жәшігі толы
    """,
    "disabled": """
Das Konto ist gesperrt
Postfach deaktiviert
Compte désactivé
Compte suspendu
Cuenta deshabilitada
Cuenta suspendida
Account disabilitato
Conta desativada
Account is uitgeschakeld
Konto zablokowane
Účet je zablokován
Учетная запись отключена
Ящик заблокирован
Аккаунт удален
Обліковий запис вимкнено
Hesap devre dışı
该帐号已被停用
账户被冻结
アカウントは停止されています
휴면 계정입니다
사용이 중지된 계정입니다
    """,
    "blocked-content": """
Als Spam abgelehnt
Die Nachricht wurde als Spam eingestuft
Message considéré comme spam
Mensaje rechazado por ser spam
Messaggio rifiutato come spam
Mensagem classificada como spam
Bericht geweigerd als spam
Wiadomość uznana za spam
Письмо похоже на спам
Сообщение отклонено как спам
邮件被识别为垃圾邮件
迷惑メールと判定されました
스팸으로 분류되어 차단되었습니다
    """,
    "blocked-reputation": """
Ihre IP-Adresse steht auf einer Sperrliste
Votre adresse IP est sur liste noire
Su IP está en lista negra
Il vostro IP è in blacklist
Seu IP está na lista negra
Twój adres IP jest na czarnej liście
Ваш IP-адрес в черном списке
您的IP在黑名单中
送信元IPがブラックリストに登録されています
발신 IP가 차단 목록에 있습니다
    """,
    "too-big": """
Die Nachricht ist zu groß
Message trop volumineux
El mensaje es demasiado grande
Messaggio troppo grande
Mensagem muito grande
Bericht te groot
Wiadomość jest za duża
Слишком большое письмо
Размер письма превышает допустимый
邮件过大
メールのサイズが大きすぎます
메일 크기가 초과되었습니다
    """,
    "rate-limited": """
Zu viele Verbindungen von Ihrem Server
Bitte versuchen Sie es später erneut, zu viele Nachrichten
Trop de messages envoyés
Trop de connexions
Demasiados mensajes
Troppi messaggi
Limite de envio excedido
Слишком много писем
Превышен лимит отправки
发信频率过高
送信数の制限を超えました
발송 횟수를 초과하였습니다
    """,
    "no-domain": """
Die Domain existiert nicht
Domain unbekannt
Domaine inconnu
Le domaine n'existe pas
El dominio no existe
Il dominio non esiste
O domínio não existe
Domein bestaat niet
Domena nie istnieje
Домен не существует
Домен не найден
域名不存在
找不到域名
ドメインが存在しません
도메인을 찾을 수 없습니다
    """,
}


@pytest.mark.parametrize(
    ("phrase", "category"),
    [
        (phrase.strip(), category)
        for category, phrases in PHRASES.items()
        for phrase in phrases.strip().splitlines()
    ],
)
def test_a_refusal_means_the_same_in_any_language(phrase: str, category: str) -> None:
    assert explain_refusal(standard_rules(), 550, "", phrase).category == Category(category)
